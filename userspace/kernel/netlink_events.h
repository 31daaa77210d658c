// SPDX-License-Identifier: Apache-2.0
// Sockets on which the kernel tells what has changed. They do not block, and have room for a burst.
#pragma once

#include <linux/netlink.h>

#include <functional>
#include <span>

#include "kernel/unique_fd.h"

namespace nsrp::kernel {

// Groups are numbers (RTNLGRP_LINK, NFNLGRP_NFTABLES …), not masks. Not valid: the kernel refuses, errno says why.
UniqueFd listen_to_netlink(int family, std::span<const int> groups);

// Reads what has come. False: the kernel dropped events.
bool consume_netlink(int fd, const std::function<void(const nlmsghdr*)>& visit);

}  // namespace nsrp::kernel
