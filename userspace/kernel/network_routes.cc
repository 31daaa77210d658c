// SPDX-License-Identifier: Apache-2.0
// Static routes and policy rules. They are ours by protocol number, so a daemon that starts anew finds the old ones.
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernel/network_impl.h"

namespace nsrp::kernel {
namespace {

constexpr uint32_t kIpv6DefaultMetric = 1024;  // what the kernel makes of 0 (IP6_RT_PRIO_USER)

uint8_t family_number(Family family) {
  return family == Family::kIpv4 ? AF_INET : AF_INET6;
}

uint32_t u32_attribute(nlmsghdr* message, size_t header, int type, uint32_t otherwise) {
  const nlattr* found = nlmsg_find_attr(message, static_cast<int>(header), type);
  return found != nullptr ? nla_get_u32(found) : otherwise;
}

std::optional<IpAddress> address_attribute(nlmsghdr* message, size_t header, int type, Family family) {
  IpAddress address;
  address.family = family;
  const nlattr* found = nlmsg_find_attr(message, static_cast<int>(header), type);
  if (found == nullptr || nla_len(found) != static_cast<int>(address.size())) return std::nullopt;
  std::memcpy(address.bytes.data(), nla_data(found), address.size());
  return address;
}

std::optional<WantedRoute> parse_route(const nlmsghdr* header) {
  auto* message = const_cast<nlmsghdr*>(header);
  if (header->nlmsg_type != RTM_NEWROUTE || nlmsg_datalen(header) < static_cast<int>(sizeof(rtmsg)))
    return std::nullopt;
  const auto* info = static_cast<const rtmsg*>(nlmsg_data(header));
  if (info->rtm_protocol != Network::kRouteProtocol || (info->rtm_flags & RTM_F_CLONED) != 0) return std::nullopt;
  const Family family = info->rtm_family == AF_INET ? Family::kIpv4 : Family::kIpv6;
  WantedRoute route;
  route.destination.length = info->rtm_dst_len;
  route.destination.address = address_attribute(message, sizeof *info, RTA_DST, family).value_or(IpAddress{family, {}});
  route.ifindex = IfIndex{u32_attribute(message, sizeof *info, RTA_OIF, 0)};
  route.gateway = address_attribute(message, sizeof *info, RTA_GATEWAY, family);
  route.metric = u32_attribute(message, sizeof *info, RTA_PRIORITY, 0);
  route.table = u32_attribute(message, sizeof *info, RTA_TABLE, info->rtm_table);
  return route;
}

// As the kernel will report it.
WantedRoute normal(WantedRoute route) {
  route.destination.address = route.destination.network();
  if (route.destination.address.family == Family::kIpv6 && route.metric == 0) route.metric = kIpv6DefaultMetric;
  return route;
}

// Only one route of these can exist.
bool same_place(const WantedRoute& a, const WantedRoute& b) {
  return a.destination == b.destination && a.metric == b.metric && a.table == b.table;
}

std::string describe(const WantedRoute& route) {
  std::string text = to_string(route.destination);
  if (route.gateway) text += " via " + to_string(*route.gateway);
  return text + " on " + interface_name(route.ifindex);
}

Rtnetlink::Answer send_route(Rtnetlink& rtnetlink, int type, int flags, const WantedRoute& route) {
  const IpAddress& destination = route.destination.address;
  rtmsg info{};
  info.rtm_family = family_number(destination.family);
  info.rtm_dst_len = route.destination.length;
  info.rtm_table = RT_TABLE_UNSPEC;  // RTA_TABLE says it
  info.rtm_protocol = Network::kRouteProtocol;
  info.rtm_type = RTN_UNICAST;
  info.rtm_scope = route.gateway || destination.family == Family::kIpv6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
  RtMessage message(type, flags, info);
  message.put(RTA_DST, destination.bytes.data(), destination.size());
  if (route.gateway) message.put(RTA_GATEWAY, route.gateway->bytes.data(), route.gateway->size());
  message.put_u32(RTA_OIF, route.ifindex.value);
  message.put_u32(RTA_TABLE, route.table);
  if (route.metric != 0) message.put_u32(RTA_PRIORITY, route.metric);
  return rtnetlink.request(message);
}

Result<std::vector<WantedRoute>> our_routes(Rtnetlink& rtnetlink) {
  std::vector<WantedRoute> all;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    std::vector<WantedRoute> routes;
    rtmsg filter{};
    filter.rtm_family = family_number(family);
    filter.rtm_protocol = Network::kRouteProtocol;
    auto done = rtnetlink.dump(
        RtMessage(RTM_GETROUTE, 0, filter), [&] { routes.clear(); },
        [&](const nlmsghdr* header) {
          if (auto route = parse_route(header)) routes.push_back(*route);
        });
    if (!done) return fail(done.error());
    all.insert(all.end(), routes.begin(), routes.end());
  }
  return all;
}

std::optional<WantedRule> parse_rule(const nlmsghdr* header) {
  auto* message = const_cast<nlmsghdr*>(header);
  if (header->nlmsg_type != RTM_NEWRULE || nlmsg_datalen(header) < static_cast<int>(sizeof(fib_rule_hdr)))
    return std::nullopt;
  const auto* info = static_cast<const fib_rule_hdr*>(nlmsg_data(header));
  const nlattr* protocol = nlmsg_find_attr(message, sizeof *info, FRA_PROTOCOL);
  if (protocol == nullptr || nla_get_u8(protocol) != Network::kRouteProtocol) return std::nullopt;
  return WantedRule{info->family == AF_INET ? Family::kIpv4 : Family::kIpv6,
                    u32_attribute(message, sizeof *info, FRA_FWMARK, 0),
                    u32_attribute(message, sizeof *info, FRA_FWMASK, 0),
                    u32_attribute(message, sizeof *info, FRA_TABLE, info->table)};
}

Rtnetlink::Answer send_rule(Rtnetlink& rtnetlink, int type, int flags, const WantedRule& rule) {
  fib_rule_hdr info{};
  info.family = family_number(rule.family);
  info.action = FR_ACT_TO_TBL;
  RtMessage message(type, flags, info);
  const uint8_t protocol = Network::kRouteProtocol;
  message.put(FRA_PROTOCOL, &protocol, sizeof protocol);
  message.put_u32(FRA_PRIORITY, Network::kRulePriority);
  message.put_u32(FRA_FWMARK, rule.mark);
  message.put_u32(FRA_FWMASK, rule.mask);
  message.put_u32(FRA_TABLE, rule.table);
  return rtnetlink.request(message);
}

Result<std::vector<WantedRule>> our_rules(Rtnetlink& rtnetlink) {
  std::vector<WantedRule> all;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    std::vector<WantedRule> rules;
    fib_rule_hdr filter{};
    filter.family = family_number(family);
    auto done = rtnetlink.dump(
        RtMessage(RTM_GETRULE, 0, filter), [&] { rules.clear(); },
        [&](const nlmsghdr* header) {
          if (auto rule = parse_rule(header)) rules.push_back(*rule);
        });
    if (!done) return fail(done.error());
    all.insert(all.end(), rules.begin(), rules.end());
  }
  return all;
}

void keep_first(Status& first, const std::string& what, const Rtnetlink::Answer& answer) {
  if (first && !answer.ok()) first = fail(refusal(what, answer));
}

}  // namespace

Status Network::set_routes(const std::vector<WantedRoute>& wanted) {
  Rtnetlink& rtnetlink = *impl_->rtnetlink;
  impl_->routes_set = true;
  auto present = our_routes(rtnetlink);
  if (!present) return fail(present.error());

  Status first;
  std::set<WantedRoute> missing;
  for (const WantedRoute& want : wanted) {
    if (want.gateway && want.gateway->family != want.destination.address.family)
      return fail("cannot add route " + describe(want) + ": the gateway is of the other address family");
    missing.insert(normal(want));
  }
  std::erase_if(*present, [&](const WantedRoute& route) { return missing.erase(route) > 0; });
  // A route that only changes its next hop is replaced in one step; what is left after that goes.
  for (const WantedRoute& route : missing) {
    const auto old = std::find_if(present->begin(), present->end(),
                                  [&](const WantedRoute& other) { return same_place(other, route); });
    const bool replace = old != present->end();
    const auto answer =
        send_route(rtnetlink, RTM_NEWROUTE, NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL), route);
    keep_first(first, "add route " + describe(route), answer);
    if (replace && answer.ok()) present->erase(old);
  }
  for (const WantedRoute& route : *present) {
    const auto answer = send_route(rtnetlink, RTM_DELROUTE, 0, route);
    if (answer.error != ESRCH) keep_first(first, "remove route " + describe(route), answer);
  }
  return first;
}

Status Network::set_rules(const std::vector<WantedRule>& wanted) {
  Rtnetlink& rtnetlink = *impl_->rtnetlink;
  impl_->rules_set = true;
  auto present = our_rules(rtnetlink);
  if (!present) return fail(present.error());
  Status first;
  std::set<WantedRule> missing(wanted.begin(), wanted.end());
  std::erase_if(*present, [&](const WantedRule& rule) { return missing.erase(rule) > 0; });
  for (const WantedRule& rule : missing) {
    const auto answer = send_rule(rtnetlink, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
    keep_first(first, "add a rule for table " + std::to_string(rule.table), answer);
  }
  for (const WantedRule& rule : *present) {
    const auto answer = send_rule(rtnetlink, RTM_DELRULE, 0, rule);
    if (answer.error != ENOENT) keep_first(first, "remove the rule for table " + std::to_string(rule.table), answer);
  }
  return first;
}

}  // namespace nsrp::kernel
