// SPDX-License-Identifier: Apache-2.0
// tc programs on clsact, always as the first filter (priority 1, handle 1). They stay when the process ends.
#pragma once

#include "base/ids.h"
#include "base/result.h"

namespace nsrp::kernel {

enum class TcSide : uint8_t { kIngress, kEgress };

// Replaces a program of ours in one step; refuses when somebody else's filter has the place.
Status attach_tc(IfIndex ifindex, TcSide side, int program_fd);
bool has_own_tc(IfIndex ifindex, TcSide side);
// Takes our programs off both sides, and the clsact qdisc when nobody else's filter is on it.
Status detach_tc(IfIndex ifindex);

}  // namespace nsrp::kernel
