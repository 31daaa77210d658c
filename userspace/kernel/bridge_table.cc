// SPDX-License-Identifier: Apache-2.0
#include "kernel/bridge_table.h"

#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "kernel/netlink_events.h"
#include "kernel/rtnetlink.h"

namespace nsrp::kernel {
namespace {

uint32_t u32_of(const nlmsghdr* header, int fixed, int attribute) {
  const nlattr* found = nlmsg_find_attr(const_cast<nlmsghdr*>(header), fixed, attribute);
  return found == nullptr ? 0 : nla_get_u32(found);
}

// nullopt: of another bridge, or not learned: a bridge also has the MAC addresses of its ports, and static ones.
std::optional<LearnedMac> parse(const nlmsghdr* header, uint32_t bridge) {
  const bool gone = header->nlmsg_type == RTM_DELNEIGH;
  if ((header->nlmsg_type != RTM_NEWNEIGH && !gone) || nlmsg_datalen(header) < static_cast<int>(sizeof(ndmsg)))
    return {};
  const auto* info = static_cast<const ndmsg*>(nlmsg_data(header));
  if (info->ndm_family != AF_BRIDGE || (info->ndm_state & (NUD_PERMANENT | NUD_NOARP)) != 0 || bridge == 0 ||
      u32_of(header, sizeof *info, NDA_MASTER) != bridge) {
    return {};
  }
  LearnedMac entry{{}, IfIndex{static_cast<uint32_t>(info->ndm_ifindex)}, gone};
  const nlattr* mac = nlmsg_find_attr(const_cast<nlmsghdr*>(header), sizeof *info, NDA_LLADDR);
  if (mac == nullptr || nla_len(mac) != static_cast<int>(entry.mac.bytes.size())) return {};
  std::memcpy(entry.mac.bytes.data(), nla_data(mac), entry.mac.bytes.size());
  return entry;
}

}  // namespace

struct BridgeTable::Impl {
  std::string name;
  std::unique_ptr<Rtnetlink> rtnetlink;
  UniqueFd events;
  uint32_t bridge() const { return ::if_nametoindex(name.c_str()); }  // 0: there is none
};

BridgeTable::BridgeTable() = default;
BridgeTable::~BridgeTable() = default;

Result<std::unique_ptr<BridgeTable>> BridgeTable::open(std::string bridge) {
  auto rtnetlink = Rtnetlink::open();
  if (!rtnetlink) return fail(rtnetlink.error());
  std::unique_ptr<BridgeTable> self(new BridgeTable);
  self->impl_ = std::make_unique<Impl>();
  self->impl_->name = std::move(bridge);
  self->impl_->rtnetlink = std::move(*rtnetlink);
  self->impl_->events = listen_to_netlink(NETLINK_ROUTE, std::array<int, 1>{RTNLGRP_NEIGH});
  if (!self->impl_->events.valid())
    return fail("cannot listen to what bridges learn: " + std::string(std::strerror(errno)));
  return self;
}

Result<std::vector<LearnedMac>> BridgeTable::all() {
  std::vector<LearnedMac> entries;
  const uint32_t bridge = impl_->bridge();
  if (bridge == 0) return entries;
  ndmsg every{};
  every.ndm_family = AF_BRIDGE;
  const auto done = impl_->rtnetlink->dump(
      RtMessage(RTM_GETNEIGH, 0, every), [&] { entries.clear(); },
      [&](const nlmsghdr* header) {
        if (const auto entry = parse(header, bridge)) entries.push_back(*entry);
      });
  if (!done) return fail(done.error());
  return entries;
}

Result<std::vector<IfIndex>> BridgeTable::ports() {
  std::vector<IfIndex> ports;
  const uint32_t bridge = impl_->bridge();
  if (bridge == 0) return ports;
  const auto done = impl_->rtnetlink->dump(
      RtMessage(RTM_GETLINK, 0, ifinfomsg{}), [&] { ports.clear(); },
      [&](const nlmsghdr* header) {
        if (header->nlmsg_type != RTM_NEWLINK || u32_of(header, sizeof(ifinfomsg), IFLA_MASTER) != bridge) return;
        const auto* info = static_cast<const ifinfomsg*>(nlmsg_data(header));
        ports.push_back(IfIndex{static_cast<uint32_t>(info->ifi_index)});
      });
  if (!done) return fail(done.error());
  return ports;
}

int BridgeTable::events_fd() const {
  return impl_->events.get();
}

bool BridgeTable::consume_events(const std::function<void(const LearnedMac&)>& changed) {
  const uint32_t bridge = impl_->bridge();
  return consume_netlink(impl_->events.get(), [&](const nlmsghdr* header) {
    if (const auto entry = parse(header, bridge)) changed(*entry);
  });
}

Status BridgeTable::learn(const MacAddress& mac, IfIndex port) {
  ndmsg info{};
  info.ndm_family = AF_BRIDGE;
  info.ndm_ifindex = static_cast<int>(port.value);
  info.ndm_state = NUD_REACHABLE;
  info.ndm_flags = NTF_MASTER;
  RtMessage message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, info);
  message.put(NDA_LLADDR, mac.bytes.data(), mac.bytes.size());
  const auto answer = impl_->rtnetlink->request(message);
  if (!answer.ok()) return fail("cannot tell " + impl_->name + " where " + to_string(mac) + " is: " + answer.reason());
  return {};
}

Status BridgeTable::forget_all() {
  const uint32_t bridge = impl_->bridge();
  if (bridge == 0) return {};
  ifinfomsg info{};
  info.ifi_index = static_cast<int>(bridge);
  RtMessage message(RTM_NEWLINK, 0, info);
  message.put_link_info("bridge", [&] { message.put(IFLA_BR_FDB_FLUSH, nullptr, 0); });
  const auto answer = impl_->rtnetlink->request(message);
  if (!answer.ok()) return fail("cannot clear the addresses of " + impl_->name + ": " + answer.reason());
  return {};
}

}  // namespace nsrp::kernel
