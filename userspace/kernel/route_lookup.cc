// SPDX-License-Identifier: Apache-2.0
#include "kernel/route_lookup.h"

#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <cstring>

namespace nsrp::kernel {
namespace {

std::optional<NextHop> parse(const nlmsghdr* header, const IpAddress& destination) {
  auto* message = const_cast<nlmsghdr*>(header);
  const auto* route = static_cast<const rtmsg*>(nlmsg_data(message));
  const nlattr* out = nlmsg_find_attr(message, sizeof(rtmsg), RTA_OIF);
  if (route->rtm_type != RTN_UNICAST || out == nullptr) return std::nullopt;
  NextHop hop{IfIndex{nla_get_u32(out)}, destination};
  const nlattr* via = nlmsg_find_attr(message, sizeof(rtmsg), RTA_GATEWAY);
  if (via != nullptr && static_cast<size_t>(nla_len(via)) == destination.size())
    std::memcpy(hop.address.bytes.data(), nla_data(via), destination.size());
  return hop;
}

}  // namespace

Result<RouteLookup> RouteLookup::open() {
  auto rtnetlink = Rtnetlink::open();
  if (!rtnetlink) return fail(rtnetlink.error());
  return RouteLookup(std::move(*rtnetlink));
}

std::optional<NextHop> RouteLookup::next_hop(const IpAddress& destination) {
  rtmsg wanted{};
  wanted.rtm_family = destination.family == Family::kIpv4 ? AF_INET : AF_INET6;
  wanted.rtm_dst_len = destination.max_prefix_length();
  RtMessage message(RTM_GETROUTE, 0, wanted);
  message.put(RTA_DST, destination.bytes.data(), destination.size());
  std::optional<NextHop> hop;
  // An error says that there is no route.
  (void)rtnetlink_->request(message, [&](const nlmsghdr* header) { hop = parse(header, destination); });
  return hop;
}

}  // namespace nsrp::kernel
