// SPDX-License-Identifier: Apache-2.0
#include "kernel/path_watch.h"

#include <linux/neighbour.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "kernel/netlink_events.h"
#include "kernel/rtnetlink.h"

namespace nsrp::kernel {
namespace {

constexpr std::array kRoutingGroups{RTNLGRP_LINK,      RTNLGRP_NEIGH,     RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
                                    RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP};

std::vector<uint8_t> attribute(const nlmsghdr* header, int wanted) {
  const nlattr* found = nlmsg_find_attr(const_cast<nlmsghdr*>(header), sizeof(ndmsg), wanted);
  if (found == nullptr) return {};
  const auto* data = static_cast<const uint8_t*>(nla_data(found));
  return {data, data + nla_len(found)};
}

}  // namespace

Result<std::unique_ptr<PathWatch>> PathWatch::open() {
  std::unique_ptr<PathWatch> self(new PathWatch);
  const std::vector<int> routing(kRoutingGroups.begin(), kRoutingGroups.end()), rules{NFNLGRP_NFTABLES};
  self->routing_ = listen_to_netlink(NETLINK_ROUTE, routing);
  if (!self->routing_.valid()) return fail(std::string("cannot listen for route events: ") + std::strerror(errno));
  self->rules_ = listen_to_netlink(NETLINK_NETFILTER, rules);
  // After listening: what changes meanwhile is heard of.
  if (Status learned = self->learn_neighbours(); !learned) return fail(learned.error());
  return self;
}

Status PathWatch::learn_neighbours() {
  auto socket = Rtnetlink::open();
  if (!socket) return fail(socket.error());
  return (*socket)->dump(
      RtMessage(RTM_GETNEIGH, 0, ndmsg{}), [this] { neighbours_.clear(); },
      [this](const nlmsghdr* header) { (void)neighbour_changes(header); });
}

std::vector<int> PathWatch::fds() const {
  std::vector<int> fds{routing_.get()};
  if (rules_.valid()) fds.push_back(rules_.get());
  return fds;
}

bool PathWatch::consume() {
  const bool routing = read_all(routing_.get(), &PathWatch::routing_changes);
  const bool rules = rules_.valid() && read_all(rules_.get(), &PathWatch::rules_change);
  return routing || rules;
}

bool PathWatch::read_all(int fd, bool (PathWatch::*changes)(const nlmsghdr*)) {
  bool changed = false;
  const bool complete =
      consume_netlink(fd, [&](const nlmsghdr* header) { changed = (this->*changes)(header) || changed; });
  return changed || !complete;
}

bool PathWatch::routing_changes(const nlmsghdr* header) {
  if (header->nlmsg_type == RTM_NEWNEIGH || header->nlmsg_type == RTM_DELNEIGH) return neighbour_changes(header);
  if (header->nlmsg_type != RTM_NEWROUTE && header->nlmsg_type != RTM_DELROUTE) return true;
  // What the kernel caches of a route for itself is no route.
  return (static_cast<const rtmsg*>(nlmsg_data(header))->rtm_flags & RTM_F_CLONED) == 0;
}

bool PathWatch::rules_change(const nlmsghdr* header) {
  return header->nlmsg_type == ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN);
}

// True when a neighbour is reached otherwise than before, or no more. One that is new has been used by nobody.
bool PathWatch::neighbour_changes(const nlmsghdr* header) {
  if (nlmsg_datalen(header) < static_cast<int>(sizeof(ndmsg))) return false;
  const auto* neighbour = static_cast<const ndmsg*>(nlmsg_data(header));
  const Neighbour key{static_cast<uint32_t>(neighbour->ndm_ifindex), attribute(header, NDA_DST)};
  const std::vector<uint8_t> mac = attribute(header, NDA_LLADDR);
  if (header->nlmsg_type == RTM_DELNEIGH || (neighbour->ndm_state & (NUD_FAILED | NUD_INCOMPLETE)) != 0 || mac.empty())
    return neighbours_.erase(key) != 0;
  const auto [known, is_new] = neighbours_.try_emplace(key, mac);
  return !is_new && std::exchange(known->second, mac) != mac;
}

}  // namespace nsrp::kernel
