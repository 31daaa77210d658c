// SPDX-License-Identifier: Apache-2.0
#include "reference.h"

#include <algorithm>

namespace nsrp::test {

using kernel::AddressEntry;
using kernel::VsiEntry;

namespace {

constexpr size_t kEthernet = 14, kTag = 4;

bool is_tag(uint32_t type) {
  return type == 0x8100 || type == 0x88a8;
}

uint32_t number(const Bytes& bytes, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | bytes.at(at + i);
  return value;
}

MacAddress mac_at(const Bytes& frame, size_t at) {
  MacAddress address;
  std::copy_n(frame.begin() + static_cast<ptrdiff_t>(at), 6, address.bytes.begin());
  return address;
}

Bytes bytes_of(const IpAddress& address) {
  return {address.bytes.begin(), address.bytes.begin() + static_cast<ptrdiff_t>(address.size())};
}

IpAddress address_of(const Bytes& bytes) {
  IpAddress address{bytes.size() == 4 ? Family::kIpv4 : Family::kIpv6, {}};
  std::copy(bytes.begin(), bytes.end(), address.bytes.begin());
  return address;
}

bool is_icmp(int family, int proto) {
  return proto == (family == 4 ? 1 : 58);
}

// What one host beyond the link can have.
bool is_host(const Bytes& to) {
  if (to.size() == 4) return to[0] != 0 && to[0] != 127 && to[0] != 255 && (to[0] < 224 || to[0] > 239);
  return to[0] != 0xff && !(to[0] == 0xfe && to[1] >= 0x80 && to[1] <= 0xbf);
}

// Whether the frame is as long as its IP header says.
bool whole(const Bytes& frame) {
  const uint32_t type = number(frame, 12, 2);
  const size_t rest = frame.size() - kEthernet;
  if (type == 0x0800) {
    if (rest < 20 || frame[14] >> 4 != 4 || (frame[14] & 15) < 5) return false;
    const size_t total = number(frame, 16, 2), header = size_t{4} * (frame[14] & 15);
    return total == 0 || (total >= header && total <= rest);
  }
  if (type == 0x86dd) return rest >= 40 && frame[14] >> 4 == 6 && number(frame, 18, 2) + size_t{40} <= rest;
  return true;
}

bool fill_ports(const Bytes& frame, size_t l4, ReferenceTuple& tuple) {
  if (l4 + 8 > frame.size()) return false;
  if (tuple.proto == 6 || tuple.proto == 17) {
    tuple.source_port = static_cast<int>(number(frame, l4, 2));
    tuple.destination_port = static_cast<int>(number(frame, l4 + 2, 2));
    return true;
  }
  const int type = frame[l4];
  const bool echo = tuple.family == 4 ? type == 0 || type == 8 : type == 128 || type == 129;
  if (!is_icmp(tuple.family, tuple.proto) || !echo) return false;
  tuple.source_port = static_cast<int>(number(frame, l4 + 4, 2));
  return true;
}

bool icmp_error(int family, int type) {
  return family == 4 ? type == 3 || type == 4 || type == 5 || type == 11 || type == 12 : type >= 1 && type <= 4;
}

// The packet an ICMP error quotes, as its answer would come in.
std::optional<ReferenceTuple> quoted(const Bytes& frame, size_t at, int family) {
  const size_t header = family == 4 ? 20 : 40;
  if (at + header > frame.size() || frame[at] >> 4 != family) return std::nullopt;
  ReferenceTuple tuple{.family = family, .proto = frame[at + (family == 4 ? 9 : 6)], .source = {}, .destination = {}};
  size_t l4 = at + header;
  if (family == 4) {
    if ((frame[at] & 15) < 5 || (number(frame, at + 6, 2) & 0x1fff) != 0) return std::nullopt;
    l4 = at + size_t{4} * (frame[at] & 15);
  }
  const size_t size = family == 4 ? 4 : 16, addresses = at + (family == 4 ? 12 : 8);
  tuple.destination = slice(frame, addresses, size);
  tuple.source = slice(frame, addresses + size, size);
  if (!fill_ports(frame, l4, tuple)) return std::nullopt;
  if (!is_icmp(family, tuple.proto)) std::swap(tuple.source_port, tuple.destination_port);
  return tuple;
}

}  // namespace

struct Reference::Packet {
  int family = 0, proto = 0;
  Bytes source, destination;
  std::optional<uint32_t> fragment_id;
  bool later_fragment = false;
  std::optional<ReferenceTuple> tuple;

  FragmentKey fragment_key() const {
    return {family, family == 4 ? proto : 0, source, destination, fragment_id.value_or(0)};
  }
  void read_upper(const Bytes& frame, size_t l4) {
    if (is_icmp(family, proto) && l4 + 8 <= frame.size() && icmp_error(family, frame[l4])) {
      tuple = quoted(frame, l4 + 8, family);
      return;
    }
    ReferenceTuple own{.family = family, .proto = proto, .source = source, .destination = destination};
    if (fill_ports(frame, l4, own)) tuple = own;
  }
  void read_ipv4(const Bytes& frame) {
    proto = frame[23];
    source = slice(frame, 26, 4);
    destination = slice(frame, 30, 4);
    const uint32_t fragment = number(frame, 20, 2);
    if ((fragment & 0x3fff) != 0) fragment_id = number(frame, 18, 2);
    later_fragment = (fragment & 0x1fff) != 0;
    if (!later_fragment) read_upper(frame, kEthernet + size_t{4} * (frame[14] & 15));
  }
  void read_ipv6(const Bytes& frame) {
    proto = frame[20];
    source = slice(frame, 22, 16);
    destination = slice(frame, 38, 16);
    size_t at = kEthernet + 40;
    const size_t begin = at;
    for (int followed = 0; proto == 0 || proto == 43 || proto == 60 || proto == 44; ++followed) {
      if (followed == 4 || at + 8 > frame.size()) return;
      const size_t length = proto == 44 ? 8 : 8 * (size_t{frame[at + 1]} + 1);
      if (proto == 44 && (number(frame, at + 2, 2) & 0xfff9) != 0) {
        fragment_id = number(frame, at + 4, 4);
        later_fragment = (number(frame, at + 2, 2) & 0xfff8) != 0;
        if (later_fragment) return;
      }
      if (at + length - begin > 128) return;
      proto = frame[at];
      at += length;
    }
    read_upper(frame, at);
  }
};

std::optional<Reference::Packet> Reference::read(const Bytes& frame) {
  const uint32_t type = number(frame, 12, 2);
  Packet packet;
  if (type == 0x0800 && frame.size() >= kEthernet + 20 && frame[14] >> 4 == 4 && (frame[14] & 15) >= 5) {
    packet.family = 4;
    packet.read_ipv4(frame);
    return packet;
  }
  if (type == 0x86dd && frame.size() >= kEthernet + 40 && frame[14] >> 4 == 6) {
    packet.family = 6;
    packet.read_ipv6(frame);
    return packet;
  }
  return std::nullopt;
}

const VsiEntry* Reference::vsi_of(IfIndex ifindex, const MacAddress& mac) const {
  for (const VsiEntry& vsi : vsis)
    if (vsi.ifindex == ifindex && vsi.vmac == mac) return &vsi;
  return nullptr;
}

const VsiEntry* Reference::vsi_of(IfIndex ifindex, std::optional<VsdId> vsd) const {
  for (const VsiEntry& vsi : vsis)
    if (vsi.ifindex == ifindex && (!vsd || vsi.vsd == *vsd)) return &vsi;
  return nullptr;
}

bool Reference::several_vsds() const {
  std::set<VsdId> vsds;
  for (const VsiEntry& vsi : vsis) vsds.insert(vsi.vsd);
  return vsds.size() > 1;
}

const AddressEntry* Reference::address(IfIndex ifindex, const Bytes& destination) const {
  const AddressEntry* elsewhere = nullptr;
  for (const AddressEntry& entry : addresses) {
    if (bytes_of(entry.address) != destination) continue;
    if (entry.ifindex == ifindex) return &entry;
    elsewhere = &entry;
  }
  return elsewhere;
}

std::optional<VsdId> Reference::session_vsd(const ReferenceTuple& tuple) const {
  for (const bool as_reply : {false, true}) {
    for (const ReferenceSession& session : sessions) {
      if ((as_reply ? session.reply : session.original) != tuple) continue;
      const bool known = std::any_of(vsis.begin(), vsis.end(), [&](const auto& vsi) { return vsi.vsd == session.vsd; });
      return known ? std::optional(session.vsd) : std::nullopt;
    }
  }
  return std::nullopt;
}

const VsiEntry* Reference::egress_vsi(VsdId vsd, const Bytes& destination) const {
  const ReferenceRoute* best = nullptr;
  for (const std::optional<VsdId> table : {std::optional(vsd), std::optional<VsdId>()}) {
    for (const ReferenceRoute& route : routes) {
      if (route.vsd != table || route.destination.address.family != address_of(destination).family) continue;
      if (!route.destination.contains(address_of(destination))) continue;
      if (best == nullptr || route.destination.length > best->destination.length) best = &route;
    }
    if (best != nullptr) break;
  }
  if (best == nullptr) return nullptr;
  const VsiEntry* own = vsi_of(best->ifindex, std::optional(vsd));
  const VsiEntry* of_vsd_0 = vsi_of(best->ifindex, std::optional(VsdId{0}));
  if (best->gateway && !best->vsd) std::swap(own, of_vsd_0);  // a route of VSD 0
  if (own != nullptr) return own;
  return of_vsd_0 != nullptr ? of_vsd_0 : vsi_of(best->ifindex, std::optional<VsdId>());
}

Reference::Owner Reference::classify(IfIndex ifindex, const Bytes& frame, const VsiEntry* vsi) {
  Owner owner{vsi != nullptr ? std::optional(vsi->vsd) : std::nullopt};
  const std::optional<Packet> packet = read(frame);
  if (!packet || !is_host(packet->source) || !is_host(packet->destination)) return owner;
  const AddressEntry* local = address(ifindex, packet->destination);
  if (local != nullptr && local->kind == NSRP_ADDR_DEVICE) return {};

  std::optional<VsdId> session;
  if (packet->later_fragment) {
    const auto first = fragments_.find(packet->fragment_key());
    if (first == fragments_.end()) ++counted["rx_fragment_unknown"];
    if (first != fragments_.end()) session = first->second;
  } else if (packet->tuple) {
    session = session_vsd(*packet->tuple);
  }
  const VsiEntry* some = vsi != nullptr ? vsi : vsi_of(ifindex, std::optional<VsdId>());
  if (session) {
    owner = {session, Why::kSession};
  } else if (local != nullptr) {
    for (const VsiEntry& other : vsis)
      if (other.vid == local->vid) owner = {other.vsd, Why::kAddress};
  } else if (some != nullptr) {
    if (const VsiEntry* out = egress_vsi(some->vsd, packet->destination)) owner = {out->vsd, Why::kEgress};
  }
  if (packet->fragment_id && !packet->later_fragment && owner.vsd) fragments_[packet->fragment_key()] = *owner.vsd;
  if (vsi != nullptr && owner.vsd == vsi->vsd) owner.why = Why::kMac;
  return owner;
}

Reference::Owner Reference::find_owner(IfIndex ifindex, const Bytes& frame, const VsiEntry* vsi) {
  const bool crossed = data_link && mac_at(frame, 6) == peer_mac;
  if (vsi != nullptr && (crossed || !several_vsds()) && mastered.contains(vsi->vsd)) return {vsi->vsd};
  return classify(ifindex, frame, vsi);
}

Judgement Reference::send_to_peer(IfIndex ifindex, const Bytes& frame, const VsiEntry* vsi, const Owner& owner) const {
  if (!data_link) return {Fate::kDrop, 0, "rx_drop_no_data_link"};
  if (!data_forwarding) return {Fate::kDrop, 0, "rx_drop_forwarding_off"};
  if (mac_at(frame, 6) == peer_mac) return {Fate::kDrop, 0, "dl_drop_not_master"};
  if (frame.size() - kEthernet > data_link_mtu) return {Fate::kDrop, 0, "rx_drop_data_link_mtu"};
  const VsiEntry* as = vsi_of(ifindex, owner.vsd);
  if (as == nullptr) as = vsi != nullptr ? vsi : vsi_of(ifindex, std::optional<VsdId>());
  switch (owner.why) {
    case Why::kSession:
      return {Fate::kToPeer, as->vid.value, "rx_to_peer_session"};
    case Why::kAddress:
      return {Fate::kToPeer, as->vid.value, "rx_to_peer_address"};
    case Why::kEgress:
      return {Fate::kToPeer, as->vid.value, "rx_to_peer_egress"};
    case Why::kMac:
      break;
  }
  return {Fate::kToPeer, as->vid.value, "rx_to_peer"};
}

Judgement Reference::judge(IfIndex ifindex, const Bytes& frame) {
  if (frame.size() < kEthernet) return {};
  const VsiEntry* sender = vsi_of(ifindex, mac_at(frame, 6));
  if (sender != nullptr && mastered.contains(sender->vsd)) return {Fate::kDrop, 0, "rx_drop_own_vmac_source"};
  const uint32_t type = number(frame, 12, 2);
  if (type == 0x0806) return {.fate = Fate::kNotJudged, .counter = {}};
  if (type == 0x86dd && frame.size() > 54 && frame[20] == 58 && frame[54] == 135)
    return {.fate = Fate::kNotJudged, .counter = {}};
  if (is_tag(type)) return {Fate::kPass, 0, "rx_tagged"};
  const VsiEntry* vsi = vsi_of(ifindex, mac_at(frame, 0));
  const bool to_own_mac = (frame[0] & 1) == 0 && own_macs.at(ifindex) == mac_at(frame, 0);
  if (vsi == nullptr && !to_own_mac) return {};
  if (!whole(frame)) return vsi != nullptr ? Judgement{Fate::kDrop, 0, "rx_drop_malformed"} : Judgement{};
  const Owner owner = find_owner(ifindex, frame, vsi);
  if (owner.vsd && !mastered.contains(*owner.vsd)) return send_to_peer(ifindex, frame, vsi, owner);
  if (vsi == nullptr) return {};
  return {Fate::kPass, 0, owner.why == Why::kMac ? "rx_own" : "rx_own_steered"};
}

Judgement Reference::traffic_in(IfIndex ifindex, const Bytes& frame) {
  Judgement judgement = judge(ifindex, frame);
  if (!judgement.counter.empty()) ++counted[judgement.counter];
  return judgement;
}

Judgement Reference::judge_data_link(const Bytes& frame, const MacAddress& own_mac, Bytes& entered) {
  entered = frame;
  if (frame.size() < kEthernet || number(frame, 12, 2) != 0x8100) return {};
  if (frame.size() < kEthernet + kTag) return {Fate::kDrop, 0, "dl_drop_malformed"};
  if (mac_at(frame, 0) != own_mac) return {};
  if (is_tag(number(frame, 16, 2))) return {Fate::kDrop, 0, "dl_drop_malformed"};
  if (!data_link || mac_at(frame, 6) != peer_mac) return {Fate::kDrop, 0, "dl_drop_bad_peer"};
  const auto vsi = std::ranges::find(vsis, number(frame, 14, 2) & 0xfff, [](const VsiEntry& v) { return v.vid.value; });
  if (vsi == vsis.end()) return {Fate::kDrop, 0, "dl_drop_unknown_vid"};
  entered.assign(vsi->vmac.bytes.begin(), vsi->vmac.bytes.end());
  entered.insert(entered.end(), frame.begin() + 6, frame.begin() + 12);
  entered.insert(entered.end(), frame.begin() + 16, frame.end());
  const Owner owner = find_owner(vsi->ifindex, entered, &*vsi);
  if (owner.vsd && !mastered.contains(*owner.vsd)) return {Fate::kDrop, 0, "dl_drop_not_master"};
  return {};
}

Judgement Reference::ha_in(const Bytes& frame, const MacAddress& own_mac, Bytes& entered) {
  Judgement judgement = judge_data_link(frame, own_mac, entered);
  if (!judgement.counter.empty()) ++counted[judgement.counter];
  return judgement;
}

uint32_t Reference::mark(IfIndex ifindex, const Bytes& frame) {
  const VsiEntry* vsi = vsi_of(ifindex, mac_at(frame, 0));
  if (!several_vsds() || (vsi == nullptr && own_macs.at(ifindex) != mac_at(frame, 0))) return 0;
  const Owner owner = find_owner(ifindex, frame, vsi);
  return owner.vsd ? (owner.vsd->value + 1u) << NSRP_MARK_SHIFT : 0;
}

}  // namespace nsrp::test
