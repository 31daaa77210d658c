// SPDX-License-Identifier: Apache-2.0
// Whether this kernel lets a tc program read the conntrack entry of a packet, and what it needs for that.
#pragma once

#include <cstdint>

namespace nsrp::kernel {

// Looks into the kernel's BTF; loads the conntrack module when the kernel has one.
bool conntrack_is_readable();
// Jiffies per second, the unit of conntrack's timeouts.
uint32_t kernel_hz();

}  // namespace nsrp::kernel
