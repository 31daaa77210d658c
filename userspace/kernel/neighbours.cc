// SPDX-License-Identifier: Apache-2.0
#include "kernel/neighbours.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include "kernel/netlink_events.h"
#include "kernel/rtnetlink.h"

namespace nsrp::kernel {
namespace {

constexpr uint16_t kUsable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
constexpr uint16_t kConfirmed = NUD_REACHABLE | NUD_PERMANENT;

// nullopt: not a neighbour of ours: a proxy entry, a multicast mapping, a bridge's table.
std::optional<NeighbourEntry> parse(const nlmsghdr* header) {
  auto* message = const_cast<nlmsghdr*>(header);
  const bool gone = header->nlmsg_type == RTM_DELNEIGH;
  if ((header->nlmsg_type != RTM_NEWNEIGH && !gone) || nlmsg_datalen(header) < static_cast<int>(sizeof(ndmsg)))
    return {};
  const auto* info = static_cast<const ndmsg*>(nlmsg_data(header));
  if ((info->ndm_family != AF_INET && info->ndm_family != AF_INET6) || (info->ndm_flags & NTF_PROXY) != 0 ||
      (info->ndm_state & NUD_NOARP) != 0) {
    return {};
  }
  NeighbourEntry entry;
  entry.ifindex = IfIndex{static_cast<uint32_t>(info->ndm_ifindex)};
  entry.address.family = info->ndm_family == AF_INET ? Family::kIpv4 : Family::kIpv6;
  const nlattr* address = nlmsg_find_attr(message, sizeof *info, NDA_DST);
  if (address == nullptr || nla_len(address) != static_cast<int>(entry.address.size())) return {};
  std::memcpy(entry.address.bytes.data(), nla_data(address), entry.address.size());
  const nlattr* mac = nlmsg_find_attr(message, sizeof *info, NDA_LLADDR);
  const bool has_mac = mac != nullptr && nla_len(mac) == static_cast<int>(entry.mac.bytes.size());
  if (has_mac) std::memcpy(entry.mac.bytes.data(), nla_data(mac), entry.mac.bytes.size());
  entry.usable = !gone && has_mac && (info->ndm_state & kUsable) != 0;
  entry.confirmed = entry.usable && (info->ndm_state & kConfirmed) != 0;
  entry.for_peer = (info->ndm_flags & NTF_EXT_LEARNED) != 0;
  return entry;
}

ndmsg header_of(IfIndex ifindex, const IpAddress& address) {
  ndmsg info{};
  info.ndm_family = address.family == Family::kIpv4 ? AF_INET : AF_INET6;
  info.ndm_ifindex = static_cast<int>(ifindex.value);
  info.ndm_state = NUD_STALE;
  return info;
}

}  // namespace

struct Neighbours::Impl {
  std::unique_ptr<Rtnetlink> rtnetlink;
  UniqueFd events;
  Status put(IfIndex ifindex, const IpAddress& address, const MacAddress& mac, int flags, uint8_t entry_flags);
};

Neighbours::Neighbours() = default;
Neighbours::~Neighbours() = default;

Result<std::unique_ptr<Neighbours>> Neighbours::open() {
  auto rtnetlink = Rtnetlink::open();
  if (!rtnetlink) return fail(rtnetlink.error());
  std::unique_ptr<Neighbours> self(new Neighbours);
  self->impl_ = std::make_unique<Impl>();
  self->impl_->rtnetlink = std::move(*rtnetlink);
  self->impl_->events = listen_to_netlink(NETLINK_ROUTE, std::array<int, 1>{RTNLGRP_NEIGH});
  if (!self->impl_->events.valid()) return fail("cannot listen for neighbours: " + std::string(std::strerror(errno)));
  return self;
}

Result<std::vector<NeighbourEntry>> Neighbours::all() {
  std::vector<NeighbourEntry> entries;
  const ndmsg any{};
  const auto done = impl_->rtnetlink->dump(
      RtMessage(RTM_GETNEIGH, 0, any), [&] { entries.clear(); },
      [&](const nlmsghdr* header) {
        if (const auto entry = parse(header)) entries.push_back(*entry);
      });
  if (!done) return fail(done.error());
  return entries;
}

int Neighbours::events_fd() const {
  return impl_->events.get();
}

bool Neighbours::consume_events(const std::function<void(const NeighbourEntry&)>& changed) {
  return consume_netlink(impl_->events.get(), [&](const nlmsghdr* header) {
    if (const auto entry = parse(header)) changed(*entry);
  });
}

Status Neighbours::Impl::put(IfIndex ifindex, const IpAddress& address, const MacAddress& mac, int flags,
                             uint8_t entry_flags) {
  ndmsg info = header_of(ifindex, address);
  info.ndm_flags = entry_flags;
  RtMessage message(RTM_NEWNEIGH, NLM_F_CREATE | flags, info);
  message.put(NDA_DST, address.bytes.data(), address.size());
  message.put(NDA_LLADDR, mac.bytes.data(), mac.bytes.size());
  const auto answer = rtnetlink->request(message);
  if (!answer.ok()) return fail("cannot install neighbour " + to_string(address) + ": " + answer.reason());
  return {};
}

Status Neighbours::install(IfIndex ifindex, const IpAddress& address, const MacAddress& mac) {
  return impl_->put(ifindex, address, mac, NLM_F_REPLACE, NTF_EXT_LEARNED);
}

// Without NLM_F_REPLACE the kernel changes flags and state, and leaves a MAC address that differs as it is.
Status Neighbours::adopt(IfIndex ifindex, const IpAddress& address, const MacAddress& mac) {
  return impl_->put(ifindex, address, mac, 0, 0);
}

Status Neighbours::remove(IfIndex ifindex, const IpAddress& address) {
  RtMessage message(RTM_DELNEIGH, 0, header_of(ifindex, address));
  message.put(NDA_DST, address.bytes.data(), address.size());
  const auto answer = impl_->rtnetlink->request(message);
  if (answer.ok() || answer.error == ENOENT || answer.error == ENODEV || answer.error == ENXIO) return {};
  return fail("cannot remove neighbour " + to_string(address) + ": " + answer.reason());
}

}  // namespace nsrp::kernel
