// SPDX-License-Identifier: Apache-2.0
// XDP programs on interfaces, by netlink: they stay when the process ends.
#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "kernel/datapath.h"

namespace nsrp::kernel {

// Natively where the driver can, else generic. Replaces a program of ours in one step, in the mode it has; refuses to
// touch another's.
Result<XdpMode> attach_xdp(IfIndex ifindex, int program_fd);
// The mode of a program of ours on the interface; kNone also when the program there is not ours.
XdpMode own_xdp_mode(IfIndex ifindex);
// Nothing happens unless a program of ours is there.
Status detach_xdp(IfIndex ifindex);

}  // namespace nsrp::kernel
