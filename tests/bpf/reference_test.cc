// SPDX-License-Identifier: Apache-2.0
// The programs against the reference: packets as hosts send them, varied and broken at random. A seed makes a run
// repeatable; NSRP_FUZZ_SEED and NSRP_FUZZ_PACKETS choose others.
#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <cstdlib>
#include <random>

#include "reference.h"
#include "test_box.h"

using namespace nsrp;
using namespace nsrp::test;

namespace {

uint64_t setting(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

const std::vector<std::string_view> kHosts4{"10.1.1.99", "10.2.0.9",  "10.3.0.9",  "10.4.0.9",
                                            "10.1.1.1",  "10.1.1.2",  "10.2.0.1",  "10.2.0.2",
                                            "10.1.1.21", "10.2.0.21", "224.0.0.5", "192.0.2.9"};
const std::vector<std::string_view> kHosts6{"2001:db8::99",  "2001:db8:2::9", "2001:db8:3::9", "2001:db8:4::9",
                                            "2001:db8::1",   "2001:db8::2",   "2001:db8:2::2", "2001:db8::21",
                                            "2001:db8:9::9", "ff02::5",       "fe80::5"};
const std::vector<uint16_t> kPorts{53, 4000};
constexpr uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kGre = 47, kIcmpv6 = 58;

class Chance {
 public:
  explicit Chance(uint64_t seed) : engine_(seed) {}
  uint64_t below(uint64_t limit) { return engine_() % limit; }
  bool once_in(uint64_t times) { return below(times) == 0; }
  template <class T>
  const T& of(const std::vector<T>& all) {
    return all[below(all.size())];
  }
  uint8_t byte() { return static_cast<uint8_t>(engine_()); }

 private:
  std::mt19937_64 engine_;
};

class Packets {
 public:
  explicit Packets(Chance& chance) : chance_(chance) {}

  Bytes next() {
    static const std::vector<std::string_view> to{kVmac,   kVmac,    kOtherVmac, kOtherVmac,
                                                  kOwnMac, kFarVmac, kClientMac, kBroadcast};
    static const std::vector<std::string_view> from{kClientMac, kClientMac, kClientMac, kClientMac,
                                                    kPeerHaMac, kVmac,      kOtherVmac};
    PacketBuilder builder = PacketBuilder().ethernet(chance_.of(from), chance_.of(to));
    for (int tags = chance_.once_in(20) ? 2 : chance_.once_in(20) ? 1 : 0; tags > 0; --tags) builder.vlan(5);
    if (chance_.once_in(2)) {
      ipv4(builder);
    } else {
      ipv6(builder);
    }
    if (chance_.once_in(50)) builder.payload(Bytes(1500));
    if (chance_.once_in(20)) builder.pad_to(100);
    if (chance_.once_in(20)) builder.claimed_length(static_cast<uint16_t>(chance_.below(120)));
    if (chance_.once_in(20)) builder.truncate(15 + chance_.below(100));
    return broken(builder.build());
  }

  // As conntrack has them; several packets of next() belong to each.
  ReferenceTuple tuple() {
    ReferenceTuple tuple{.family = chance_.once_in(2) ? 4 : 6, .source = {}, .destination = {}};
    const auto& hosts = tuple.family == 4 ? kHosts4 : kHosts6;
    tuple.source = bytes_of(chance_.of(hosts));
    tuple.destination = bytes_of(chance_.of(hosts));
    tuple.proto = chance_.of(std::vector<int>{kTcp, kUdp, tuple.family == 4 ? kIcmp : kIcmpv6});
    tuple.source_port = chance_.of(kPorts);
    if (tuple.proto == kTcp || tuple.proto == kUdp) tuple.destination_port = chance_.of(kPorts);
    return tuple;
  }

 private:
  static Bytes bytes_of(std::string_view text) {
    const IpAddress address = ip(text);
    return {address.bytes.begin(), address.bytes.begin() + static_cast<ptrdiff_t>(address.size())};
  }

  uint8_t upper_protocol(bool v4) {
    const uint8_t icmp_number = v4 ? kIcmp : kIcmpv6;
    return chance_.of(std::vector<uint8_t>{kTcp, kUdp, kUdp, icmp_number, icmp_number, kGre});
  }

  Bytes upper(uint8_t protocol, bool v4, bool may_quote) {
    if (protocol != kIcmp && protocol != kIcmpv6) {
      Bytes bytes = ports(chance_.of(kPorts), chance_.of(kPorts));
      bytes.resize(protocol == kTcp ? 20 : 12);
      return bytes;
    }
    if (!may_quote || chance_.once_in(2)) {
      const uint8_t request = v4 ? 8 : 128, reply = v4 ? 0 : 129;
      return icmp(chance_.once_in(2) ? request : reply, chance_.of(kPorts));
    }
    static const std::vector<uint8_t> errors4{3, 4, 5, 11, 12, 13}, errors6{1, 2, 3, 4, 5, 137};
    PacketBuilder quoted = PacketBuilder().ethernet(kClientMac, kClientMac);
    const uint8_t protocol_inside = upper_protocol(v4);
    if (v4) {
      quoted.ipv4(chance_.of(kHosts4), chance_.of(kHosts4));
      if (chance_.once_in(10)) quoted.fragment(7, 8, false);
    } else {
      quoted.ipv6(chance_.of(kHosts6), chance_.of(kHosts6));
    }
    const Bytes inside = quoted.protocol(protocol_inside).payload(upper(protocol_inside, v4, false)).build();
    return icmp(chance_.of(v4 ? errors4 : errors6)) + slice(inside, 14, inside.size() - 14);
  }

  void ipv4(PacketBuilder& builder) {
    const uint8_t protocol = upper_protocol(true);
    builder.ipv4(chance_.of(kHosts4), chance_.of(kHosts4)).protocol(protocol);
    if (chance_.once_in(6)) {
      const auto id = static_cast<uint16_t>(chance_.below(4));
      builder.fragment(id, chance_.once_in(2) ? 0 : 8, chance_.once_in(2));
    }
    builder.payload(upper(protocol, true, true));
  }

  void ipv6(PacketBuilder& builder) {
    uint8_t next = upper_protocol(false);
    Bytes body = upper(next, false, true);
    for (uint64_t headers = chance_.once_in(4) ? chance_.below(6) : 0; headers > 0; --headers) {
      const uint8_t kind = chance_.of(std::vector<uint8_t>{0, 43, 60, 44});
      body = (kind == 44 ? fragment_header(next, static_cast<uint32_t>(chance_.below(4)), chance_.once_in(2) ? 0 : 8,
                                           chance_.once_in(2))
                         : extension(next, chance_.once_in(8) ? static_cast<uint8_t>(chance_.below(16)) : uint8_t{0})) +
             body;
      next = kind;
    }
    builder.ipv6(chance_.of(kHosts6), chance_.of(kHosts6)).protocol(next).payload(body);
  }

  Bytes broken(Bytes frame) {
    if (chance_.once_in(8)) {
      for (uint64_t flips = 1 + chance_.below(3); flips > 0; --flips) {
        // Mostly in the headers, where they matter.
        const uint64_t range = chance_.once_in(4) ? frame.size() : std::min<uint64_t>(frame.size(), 62);
        frame[chance_.below(range)] = chance_.byte();
      }
    }
    return frame;
  }

  Chance& chance_;
};

nsrp_tuple to_abi(const ReferenceTuple& tuple) {
  nsrp_tuple abi{};
  std::copy(tuple.source.begin(), tuple.source.end(), std::begin(abi.saddr));
  std::copy(tuple.destination.begin(), tuple.destination.end(), std::begin(abi.daddr));
  abi.sport = htons(static_cast<uint16_t>(tuple.source_port));
  abi.dport = htons(static_cast<uint16_t>(tuple.destination_port));
  abi.proto = static_cast<nsrp_u8>(tuple.proto);
  abi.family = static_cast<nsrp_u8>(tuple.family);
  return abi;
}

// One box in one random state, and the reference told the same.
struct Pair {
  TestBox box;
  Reference reference;

  explicit Pair(Chance& chance) {
    const IfIndex near = box.traffic(), far = box.other_traffic();
    const bool both_vsds = !chance.once_in(4);
    describe(near, far, both_vsds);
    for (const VsdId vsd : {VsdId{0}, VsdId{1}}) {
      if (chance.once_in(2)) continue;
      box.become_master(vsd);
      reference.mastered.insert(vsd);
    }
    reference.data_link = !chance.once_in(8);
    reference.data_forwarding = !chance.once_in(8);
    box.set_data_link(reference.data_link, reference.data_forwarding);
    add_sessions(chance, near, far);
  }

  void describe(IfIndex near, IfIndex far, bool both_vsds) {
    reference.peer_mac = mac(kPeerHaMac);
    reference.own_macs = {{near, mac(kOwnMac)}, {far, mac(kOwnMac)}};
    reference.addresses = {{near, ip("10.1.1.1"), NSRP_ADDR_VSI, kVid},
                           {near, ip("10.1.1.21"), NSRP_ADDR_DEVICE, Vid{}},
                           {near, ip("2001:db8::1"), NSRP_ADDR_VSI, kVid},
                           {near, ip("2001:db8::21"), NSRP_ADDR_DEVICE, Vid{}}};
    reference.vsis = {{near, kVid, VsdId{0}, mac(kVmac)}};
    reference.routes = {{{}, *Prefix::parse("10.2.0.0/16"), far, false},
                        {{}, *Prefix::parse("10.3.0.0/16"), far, true},
                        {{}, *Prefix::parse("2001:db8:2::/48"), far, false},
                        {{}, *Prefix::parse("2001:db8:3::/48"), far, true}};
    if (!both_vsds) return;
    box.make_active_active();
    reference.vsis.push_back({near, kOtherVid, VsdId{1}, mac(kOtherVmac)});
    reference.vsis.push_back({far, kFarVid, VsdId{0}, mac(kFarVmac)});
    reference.vsis.push_back({far, kFarOtherVid, VsdId{1}, mac(kFarOtherVmac)});
    for (const kernel::AddressEntry& entry :
         {kernel::AddressEntry{near, ip("10.1.1.2"), NSRP_ADDR_VSI, kOtherVid},
          kernel::AddressEntry{near, ip("2001:db8::2"), NSRP_ADDR_VSI, kOtherVid},
          kernel::AddressEntry{far, ip("10.2.0.1"), NSRP_ADDR_VSI, kFarVid},
          kernel::AddressEntry{far, ip("10.2.0.2"), NSRP_ADDR_VSI, kFarOtherVid},
          kernel::AddressEntry{far, ip("10.2.0.21"), NSRP_ADDR_DEVICE, Vid{}},
          kernel::AddressEntry{far, ip("2001:db8:2::1"), NSRP_ADDR_VSI, kFarVid},
          kernel::AddressEntry{far, ip("2001:db8:2::2"), NSRP_ADDR_VSI, kFarOtherVid}})
      reference.addresses.push_back(entry);
    reference.routes.push_back({VsdId{1}, *Prefix::parse("10.4.0.0/16"), far, false});
    reference.routes.push_back({VsdId{1}, *Prefix::parse("2001:db8:4::/48"), far, false});
  }

  void add_sessions(Chance& chance, IfIndex, IfIndex) {
    Packets packets(chance);
    std::set<ReferenceTuple> taken;
    for (int i = 0; i < 60; ++i) {
      ReferenceSession session{packets.tuple(), packets.tuple(), VsdId{static_cast<uint8_t>(chance.below(3))}};
      if (session.original.family != session.reply.family || session.original == session.reply) continue;
      if (!taken.insert(session.original).second || !taken.insert(session.reply).second) continue;
      box.put_session(to_abi(session.original), to_abi(session.reply), session.vsd);
      reference.sessions.push_back(session);
    }
  }
};

std::string hex(const Bytes& frame) {
  std::string text;
  for (const uint8_t byte : frame) text += "0123456789abcdef"[byte >> 4], text += "0123456789abcdef"[byte & 15];
  return text;
}

Bytes as_sent_to_peer(const Bytes& frame, uint16_t vid) {
  const Bytes head = PacketBuilder().ethernet(kHaMac, kPeerHaMac).vlan(vid).truncate(16).build();
  return head + slice(frame, 12, frame.size() - 12);
}

// The packet as the peer would send it, or somebody who poses as the peer.
Bytes over_data_link(Chance& chance, const Bytes& packet) {
  static const std::vector<std::string_view> to{kHaMac, kHaMac, kHaMac, kOwnMac},
      from{kPeerHaMac, kPeerHaMac, kClientMac};
  static const std::vector<uint16_t> vids{kVid.value, kOtherVid.value, kFarVid.value, kFarOtherVid.value, 999};
  PacketBuilder head = PacketBuilder().ethernet(chance.of(from), chance.of(to));
  if (!chance.once_in(20)) head.vlan(chance.of(vids));
  Bytes frame = head.build();
  frame.resize(frame.size() - 2);  // the packet brings its EtherType
  frame = frame + slice(packet, 12, packet.size() - 12);
  if (chance.once_in(20)) frame.resize(14 + chance.below(6));
  return frame;
}

// True when they agree.
bool compare_data_link(Pair& pair, const Bytes& frame) {
  Bytes entered;
  const Judgement judged = pair.reference.ha_in(frame, mac(kHaMac), entered);
  const Outcome out = pair.box.ha_in(frame);
  if (judged.fate == Fate::kDrop) return out.verdict == XDP_DROP;
  return out.verdict == XDP_PASS && out.frame == entered;
}

// True when they agree.
bool compare(Pair& pair, const Bytes& frame, bool tc_too) {
  const Judgement judged = pair.reference.traffic_in(pair.box.traffic(), frame);
  if (judged.fate == Fate::kNotJudged) return true;
  const Outcome out = pair.box.traffic_in(frame);
  switch (judged.fate) {
    case Fate::kNotJudged:
      break;
    case Fate::kDrop:
      return out.verdict == XDP_DROP;
    case Fate::kToPeer:
      return out.verdict == XDP_REDIRECT && out.frame == as_sent_to_peer(frame, judged.vid);
    case Fate::kPass:
      break;
  }
  if (out.verdict != XDP_PASS || out.frame != frame) return false;
  const bool tagged = frame[12] == 0x81 || frame[12] == 0x88;
  if (!tc_too || tagged || judged.counter.empty()) return true;
  const Outcome stack = pair.box.tc_in(frame);
  return stack.verdict == TC_ACT_UNSPEC && stack.mark == pair.reference.mark(pair.box.traffic(), frame);
}

}  // namespace

TEST_CASE("the programs do with 100000 random packets what the reference does, and count the same") {
  const uint64_t seed = setting("NSRP_FUZZ_SEED", 4), total = setting("NSRP_FUZZ_PACKETS", 100000);
  constexpr uint64_t kPerBox = 4000;
  Chance chance(seed);
  Packets packets(chance);
  std::map<std::string, uint64_t> seen;
  for (uint64_t done = 0; done < total; done += kPerBox) {
    Pair pair(chance);
    Counted not_judged;
    (void)pair.box.counted();
    for (uint64_t i = 0; i < kPerBox; ++i) {
      const Bytes frame = packets.next();
      REQUIRE_MESSAGE(compare(pair, frame, chance.once_in(4)),
                      "seed " << seed << ", packet " << done + i << ": " << hex(frame));
      if (!chance.once_in(4)) continue;
      const Bytes crossing = over_data_link(chance, frame);
      REQUIRE_MESSAGE(compare_data_link(pair, crossing),
                      "seed " << seed << ", after packet " << done + i << " on the data link: " << hex(crossing));
    }
    Counted counted = pair.box.counted();
    for (const char* of_others : {"arp_answered", "arp_drop_not_master", "nd_answered", "nd_drop_not_master"})
      counted.erase(of_others);
    CHECK(counted == pair.reference.counted);
    for (const auto& [name, count] : counted) seen[name] += count;
  }
  // Everything the rules can decide has been decided.
  for (const char* name :
       {"rx_own", "rx_own_steered", "rx_to_peer", "rx_to_peer_session", "rx_to_peer_address", "rx_to_peer_egress",
        "rx_drop_no_data_link", "rx_drop_forwarding_off", "rx_drop_own_vmac_source", "rx_drop_malformed",
        "rx_drop_data_link_mtu", "rx_fragment_unknown", "rx_tagged", "dl_drop_not_master", "dl_drop_bad_peer",
        "dl_drop_unknown_vid", "dl_drop_malformed"})
    CHECK_MESSAGE(seen[name] > 0, name);
}
