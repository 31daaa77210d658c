// SPDX-License-Identifier: Apache-2.0
// Links: the list, the events, up and down.
#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "kernel/netlink_events.h"
#include "kernel/network_impl.h"

namespace nsrp::kernel {
namespace {

const nlattr* find_in(const nlattr* nest, int type) {
  return nest == nullptr ? nullptr : nla_find(static_cast<const nlattr*>(nla_data(nest)), nla_len(nest), type);
}

void read_vlan(const nlmsghdr* message, Link& link) {
  auto* header = const_cast<nlmsghdr*>(message);
  const nlattr* info = nlmsg_find_attr(header, sizeof(ifinfomsg), IFLA_LINKINFO);
  const nlattr* kind = find_in(info, IFLA_INFO_KIND);
  if (link.lower.value == 0 || kind == nullptr || std::string(nla_get_string(kind)) != "vlan") return;
  const nlattr* data = find_in(info, IFLA_INFO_DATA);
  const nlattr* protocol = find_in(data, IFLA_VLAN_PROTOCOL);
  const nlattr* id = find_in(data, IFLA_VLAN_ID);
  if (id == nullptr || (protocol != nullptr && nla_get_u16(protocol) != htons(ETH_P_8021Q))) return;
  link.vlan_vid = nla_get_u16(id);
}

}  // namespace

std::optional<Link> Network::Impl::parse_link(const nlmsghdr* header) const {
  auto* message = const_cast<nlmsghdr*>(header);
  if (nlmsg_datalen(header) < static_cast<int>(sizeof(ifinfomsg))) return std::nullopt;
  const auto* info = static_cast<const ifinfomsg*>(nlmsg_data(header));
  // Bridges report their ports in this group too: their RTM_DELLINK means "left the bridge", not "is gone".
  if (info->ifi_family != AF_UNSPEC) return std::nullopt;
  Link link;
  link.ifindex = IfIndex{static_cast<uint32_t>(info->ifi_index)};
  link.up = (info->ifi_flags & IFF_UP) != 0;
  link.carrier = (info->ifi_flags & IFF_LOWER_UP) != 0;
  link.promiscuous = (info->ifi_flags & IFF_PROMISC) != 0;
  link.ethernet = info->ifi_type == ARPHRD_ETHER && (info->ifi_flags & IFF_LOOPBACK) == 0;
  if (const nlattr* name = nlmsg_find_attr(message, sizeof(ifinfomsg), IFLA_IFNAME)) link.name = nla_get_string(name);
  if (const nlattr* mtu = nlmsg_find_attr(message, sizeof(ifinfomsg), IFLA_MTU)) link.mtu = nla_get_u32(mtu);
  // In another namespace it is the far end of a veth pair.
  if (const nlattr* lower = nlmsg_find_attr(message, sizeof(ifinfomsg), IFLA_LINK);
      lower != nullptr && nlmsg_find_attr(message, sizeof(ifinfomsg), IFLA_LINK_NETNSID) == nullptr)
    link.lower = IfIndex{nla_get_u32(lower)};
  if (const nlattr* master = nlmsg_find_attr(message, sizeof(ifinfomsg), IFLA_MASTER))
    link.master = IfIndex{nla_get_u32(master)};
  if (const nlattr* mac = nlmsg_find_attr(message, sizeof(ifinfomsg), IFLA_ADDRESS);
      mac != nullptr && nla_len(mac) == static_cast<int>(link.mac.bytes.size()))
    std::memcpy(link.mac.bytes.data(), nla_data(mac), link.mac.bytes.size());
  read_vlan(header, link);
  return link;
}

Result<std::vector<Link>> Network::Impl::dump_links() const {
  std::vector<Link> links;
  auto done = rtnetlink->dump(
      RtMessage(RTM_GETLINK, 0, ifinfomsg{}), [&] { links.clear(); },
      [&](const nlmsghdr* header) {
        if (header->nlmsg_type != RTM_NEWLINK) return;
        if (auto link = parse_link(header)) links.push_back(std::move(*link));
      });
  if (!done) return fail(done.error());
  return links;
}

Result<std::vector<Link>> Network::Impl::links() const {
  auto links = dump_links();
  if (!links) return links;
  for (Link& link : *links) link.speed_mbps = ethtool.speed_mbps(link.name);
  return links;
}

void Network::Impl::handle_event(const nlmsghdr* header, const LinkChanged& changed, const LinkGone& gone) {
  if (header->nlmsg_type != RTM_NEWLINK && header->nlmsg_type != RTM_DELLINK) return;
  auto link = parse_link(header);
  if (!link) return;
  if (header->nlmsg_type == RTM_DELLINK) {
    known_links.erase(link->ifindex);
    gone(link->ifindex, link->name);
    return;
  }
  known_links[link->ifindex] = link->name;
  link->speed_mbps = ethtool.speed_mbps(link->name);
  changed(*link);
}

void Network::Impl::report_all(const LinkChanged& changed, const LinkGone& gone) {
  const auto present = links();
  if (!present) return;  // events_lost stays: the next call tries again
  events_lost = false;
  std::map<IfIndex, std::string> vanished;
  vanished.swap(known_links);
  for (const Link& link : *present) {
    vanished.erase(link.ifindex);
    known_links[link.ifindex] = link.name;
  }
  for (const auto& [ifindex, name] : vanished) gone(ifindex, name);
  for (const Link& link : *present) changed(link);
}

Status Network::Impl::change_flags(IfIndex ifindex, uint32_t mask, uint32_t flags) const {
  ifinfomsg info{};
  info.ifi_index = static_cast<int>(ifindex.value);
  info.ifi_change = mask;
  info.ifi_flags = flags;
  const auto answer = rtnetlink->request(RtMessage(RTM_NEWLINK, 0, info));
  if (!answer.ok()) return fail(refusal("change the flags of " + interface_name(ifindex), answer));
  return {};
}

Result<std::unique_ptr<Network>> Network::open() {
  auto ethtool = Ethtool::open();
  if (!ethtool) return fail(ethtool.error());
  auto rtnetlink = Rtnetlink::open();
  if (!rtnetlink) return fail(rtnetlink.error());

  std::unique_ptr<Network> self(new Network);
  self->impl_ = std::make_unique<Impl>(std::move(*ethtool));
  Impl& impl = *self->impl_;
  impl.rtnetlink = std::move(*rtnetlink);

  impl.events = listen_to_netlink(NETLINK_ROUTE, std::array<int, 1>{RTNLGRP_LINK});
  if (!impl.events.valid()) return fail(std::string("cannot listen for link events: ") + std::strerror(errno));

  const auto links = impl.dump_links();
  if (!links) return fail(links.error());
  for (const Link& link : *links) impl.known_links[link.ifindex] = link.name;
  return self;
}

Network::Network() = default;
Network::~Network() = default;

Result<std::vector<Link>> Network::links() const {
  return impl_->links();
}

Result<std::optional<Link>> Network::find(const std::string& name) const {
  auto links = impl_->dump_links();
  if (!links) return fail(links.error());
  for (Link& link : *links) {
    if (link.name != name) continue;
    link.speed_mbps = impl_->ethtool.speed_mbps(name);
    return std::optional(std::move(link));
  }
  return std::optional<Link>{};
}

int Network::events_fd() const {
  return impl_->events.get();
}

void Network::consume_events(const LinkChanged& changed, const LinkGone& gone) {
  if (!consume_netlink(impl_->events.get(),
                       [&](const nlmsghdr* header) { impl_->handle_event(header, changed, gone); }))
    impl_->events_lost = true;
  if (impl_->events_lost) impl_->report_all(changed, gone);
}

// The mode keeps what the state says over a loss of carrier.
Status Network::set_dormant(IfIndex ifindex, bool dormant) {
  ifinfomsg info{};
  info.ifi_index = static_cast<int>(ifindex.value);
  RtMessage message(RTM_NEWLINK, 0, info);
  const uint8_t mode = dormant ? IF_LINK_MODE_DORMANT : IF_LINK_MODE_DEFAULT;
  const uint8_t state = dormant ? IF_OPER_DORMANT : IF_OPER_UP;
  message.put(IFLA_LINKMODE, &mode, sizeof mode);
  message.put(IFLA_OPERSTATE, &state, sizeof state);
  const auto answer = impl_->rtnetlink->request(message);
  if (!answer.ok()) return fail(refusal("change the state of " + interface_name(ifindex), answer));
  if (dormant) {
    impl_->made_dormant.insert(ifindex);
  } else {
    impl_->made_dormant.erase(ifindex);
  }
  return {};
}

Status Network::set_link_up(IfIndex ifindex, bool up) {
  return impl_->change_flags(ifindex, IFF_UP, up ? IFF_UP : 0);
}

}  // namespace nsrp::kernel
