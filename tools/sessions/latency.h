// SPDX-License-Identifier: Apache-2.0
// How long after a session's first packet the other gateway's kernel knows the session: it is asked until it does.
#pragma once

#include <vector>

#include "options.h"

namespace nsrp::sessions {

struct LatencyResult {
  std::vector<double> milliseconds;  // in order of size
  uint64_t missing = 0;              // not there within the limit
};

Result<LatencyResult> measure_latency(const LatencyOptions& options);

}  // namespace nsrp::sessions
