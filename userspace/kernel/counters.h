// SPDX-License-Identifier: Apache-2.0
// The per-CPU counters of the BPF programs.
#pragma once

#include "base/result.h"
#include "kernel/datapath.h"

namespace nsrp::kernel {

Result<Counters> read_counters(int counters_fd);  // summed over CPUs
Status clear_counters(int counters_fd);

}  // namespace nsrp::kernel
