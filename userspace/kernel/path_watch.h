// SPDX-License-Identifier: Apache-2.0
// Tells when what the fast path has learned about packets may hold no longer: routes, rules, next hops, links, the MAC
// of a neighbour, or the nftables ruleset have changed.
//
//   auto watch = PathWatch::open();
//   for (int fd : watch->fds()) …            // readable: something happened
//   if (watch->consume()) datapath.void_permits();
#pragma once

#include <linux/netlink.h>

#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "kernel/unique_fd.h"

namespace nsrp::kernel {

class PathWatch {
 public:
  // Without nftables in the kernel only routing is watched.
  static Result<std::unique_ptr<PathWatch>> open();

  std::vector<int> fds() const;
  // Reads what waits, without blocking. A neighbour that only proves to be alive is no change. When the kernel has
  // dropped events, everything counts as changed.
  bool consume();

 private:
  using Neighbour = std::pair<uint32_t, std::vector<uint8_t>>;  // interface and address

  PathWatch() = default;
  Status learn_neighbours();
  bool read_all(int fd, bool (PathWatch::*changes)(const nlmsghdr*));
  bool routing_changes(const nlmsghdr* header);
  bool rules_change(const nlmsghdr* header);
  bool neighbour_changes(const nlmsghdr* header);

  UniqueFd routing_, rules_;
  std::map<Neighbour, std::vector<uint8_t>> neighbours_;  // their MACs
};

}  // namespace nsrp::kernel
