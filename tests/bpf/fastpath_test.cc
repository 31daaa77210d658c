// SPDX-License-Identifier: Apache-2.0
// What XDP does with packets of a session that has a permit, and which ones it leaves to the stack. Permits are put
// into the map by hand here; fastpath_permit_test.cc shows how they come there.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>

#include <algorithm>
#include <functional>

#include "namespaces.h"
#include "test_box.h"

using namespace nsrp;
using namespace nsrp::test;

namespace {

constexpr std::string_view kNextHop = "00:0d:00:00:00:09";
constexpr uint8_t kFin = 0x11, kSyn = 0x02, kReset = 0x14;

// One direction: how it comes in and how it leaves.
struct Direction {
  uint8_t protocol = IPPROTO_UDP;
  std::string_view source = "10.1.1.99", destination = "10.2.0.9";
  uint16_t source_port = 4000, destination_port = 53;
  std::string_view new_source = "10.2.0.1", new_destination = "10.2.0.9";  // source NAT
  uint16_t new_source_port = 61000, new_destination_port = 53;

  bool v6() const { return ip(source).family == Family::kIpv6; }
  nsrp_tuple incoming() const { return flow_tuple(protocol, source, source_port, destination, destination_port); }

  PacketBuilder packet(PacketBuilder frame, bool after, uint8_t hops, uint8_t tcp_flags) const {
    const auto from = after ? new_source : source, to = after ? new_destination : destination;
    const uint16_t from_port = after ? new_source_port : source_port,
                   to_port = after ? new_destination_port : destination_port;
    if (v6()) frame.ipv6(from, to);
    if (!v6()) frame.ipv4(from, to);
    frame.hop_limit(hops);
    return protocol == IPPROTO_TCP ? frame.tcp(from_port, to_port, tcp_flags) : frame.udp(from_port, to_port);
  }
  PacketBuilder before(uint8_t hops = 64, uint8_t tcp_flags = 0x10) const {
    return packet(PacketBuilder().ethernet(kClientMac, kVmac), false, hops, tcp_flags);
  }
  PacketBuilder after(uint8_t hops = 63) const {
    return packet(PacketBuilder().ethernet(kFarVmac, kNextHop), true, hops, 0x10);
  }
};

Direction udp_through_source_nat() {
  return {};
}
Direction udp_answer() {
  return {.source = "10.2.0.9",
          .destination = "10.2.0.1",
          .source_port = 53,
          .destination_port = 61000,
          .new_source = "10.2.0.9",
          .new_destination = "10.1.1.99",
          .new_source_port = 53,
          .new_destination_port = 4000};
}
Direction with_protocol(Direction direction, uint8_t protocol) {
  direction.protocol = protocol;
  return direction;
}
Direction over_ipv6() {
  return {.source = "2001:db8::99",
          .destination = "2001:db8:2::9",
          .new_source = "2001:db8:2::1",
          .new_destination = "2001:db8:2::9"};
}
Direction without_nat(Direction direction) {
  direction.new_source = direction.source;
  direction.new_destination = direction.destination;
  direction.new_source_port = direction.source_port;
  direction.new_destination_port = direction.destination_port;
  return direction;
}

uint32_t sum_of(const nsrp_u8 (&address)[16]) {
  uint32_t sum = 0;
  for (size_t i = 0; i < 16; i += 2) {
    uint16_t word = 0;
    std::copy_n(&address[i], 2, reinterpret_cast<uint8_t*>(&word));
    sum += word;
  }
  return sum;
}

struct FastBox : TestBox {
  FastBox() {
    become_master();
    allow_fast_path();
  }

  nsrp_fast_flow permitted(const Direction& direction) {
    const nsrp_tuple in = direction.incoming();
    const nsrp_tuple out = flow_tuple(direction.protocol, direction.new_source, direction.new_source_port,
                                      direction.new_destination, direction.new_destination_port);
    nsrp_fast_flow flow{};
    flow.permit_until_ns = static_cast<uint64_t>((now() + seconds{30}).time_since_epoch().count());
    flow.generation = generation_;
    flow.in_ifindex = traffic().value;
    flow.out_ifindex = other_traffic().value;
    flow.mtu = 1500;
    std::ranges::copy(mac(kNextHop).bytes, flow.dmac);
    std::ranges::copy(mac(kFarVmac).bytes, flow.smac);
    std::ranges::copy(out.saddr, flow.saddr);
    std::ranges::copy(out.daddr, flow.daddr);
    flow.sport = out.sport;
    flow.dport = out.dport;
    uint32_t delta = sum_of(out.saddr) + sum_of(out.daddr) + 16 * 0xffff - sum_of(in.saddr) - sum_of(in.daddr);
    while (delta >> 16) delta = (delta & 0xffff) + (delta >> 16);
    flow.address_delta = static_cast<nsrp_u16>(delta);
    return flow;
  }
  void permit(const Direction& direction) { put_fast_flow(direction.incoming(), permitted(direction)); }
  void change_ruleset() { REQUIRE(datapath().void_permits().has_value()); }

  // The generation of a data path whose fast path has been set once.
  uint32_t generation_ = 1;
};

void check_goes_fast(FastBox& box, const Bytes& frame, const Bytes& expected) {
  (void)box.counted();
  const Outcome out = box.traffic_in(frame);
  CHECK(out.verdict == XDP_REDIRECT);
  CHECK(out.frame == expected);
  CHECK(box.counted()["fast_forwarded"] == 1);
}

// Left to the stack untouched, and counted as said.
void check_stays(FastBox& box, const Bytes& frame, const Counted& expected) {
  (void)box.counted();
  const Outcome out = box.traffic_in(frame);
  CHECK(out.verdict == XDP_PASS);
  CHECK(out.frame == frame);
  CHECK(box.counted() == expected);
}

}  // namespace

TEST_CASE("a packet with a permit leaves at once: translated, one hop older, checksums right") {
  FastBox box;
  const Bytes text{1, 2, 3, 4, 5};
  const std::vector<Direction> directions{
      udp_through_source_nat(),
      udp_answer(),
      with_protocol(udp_through_source_nat(), IPPROTO_TCP),
      with_protocol(udp_answer(), IPPROTO_TCP),
      without_nat(udp_through_source_nat()),
      over_ipv6(),
      with_protocol(over_ipv6(), IPPROTO_TCP),
      without_nat(with_protocol(over_ipv6(), IPPROTO_TCP)),
  };
  for (const Direction& direction : directions) {
    CAPTURE(direction.source);
    CAPTURE(int{direction.protocol});
    box.permit(direction);
    check_goes_fast(box, direction.before().payload(text).build(), direction.after().payload(text).build());
    check_goes_fast(box, direction.before().build(), direction.after().build());
    check_goes_fast(box, direction.before(2).build(), direction.after(1).build());
  }
}

TEST_CASE("checksums come out right whatever the addresses and the payload add up to") {
  FastBox box;
  for (int i = 0; i < 300; ++i) {
    Direction direction = i % 2 == 0 ? udp_through_source_nat() : with_protocol(over_ipv6(), IPPROTO_TCP);
    direction.source_port = static_cast<uint16_t>(1024 + i * 211);
    direction.new_source_port = static_cast<uint16_t>(65535 - i * 97);
    box.permit(direction);
    const Bytes text{static_cast<uint8_t>(i), static_cast<uint8_t>(i * 7), static_cast<uint8_t>(i * 31)};
    const auto hops = static_cast<uint8_t>(2 + i % 250);
    const Outcome out = box.traffic_in(direction.before(hops).payload(text).build());
    REQUIRE(out.frame == direction.after(static_cast<uint8_t>(hops - 1)).payload(text).build());
  }
}

TEST_CASE("a UDP packet without a checksum gets none") {
  FastBox box;
  const Direction direction = udp_through_source_nat();
  box.permit(direction);
  check_goes_fast(box, direction.before().without_checksum().build(), direction.after().without_checksum().build());
}

TEST_CASE("padding after the packet stays and is not counted") {
  FastBox box;
  const Direction direction = udp_through_source_nat();
  box.permit(direction);
  check_goes_fast(box, direction.before().pad_to(60).build(), direction.after().pad_to(60).build());
  CHECK(box.fast_flow(direction.incoming()).packets == 1);
  CHECK(box.fast_flow(direction.incoming()).bytes == 28);
}

TEST_CASE("packets and bytes are counted for the direction and in sum") {
  FastBox box;
  const Direction direction = udp_through_source_nat();
  box.permit(direction);
  (void)box.counted();
  for (int i = 0; i < 3; ++i) (void)box.traffic_in(direction.before().payload(Bytes(100)).build());
  CHECK(box.counted() == Counted{{"fast_forwarded", 3}, {"fast_bytes", 384}});
  CHECK(box.fast_flow(direction.incoming()).packets == 3);
  CHECK(box.fast_flow(direction.incoming()).bytes == 384);
}

TEST_CASE("the unusual is left to the stack, each kind with its counter") {
  FastBox box;
  const Direction udp = udp_through_source_nat(), tcp = with_protocol(udp, IPPROTO_TCP), udp6 = over_ipv6();
  for (const Direction& direction : {udp, tcp, udp6}) box.permit(direction);

  SUBCASE("a TTL or hop limit that ends here") {
    check_stays(box, udp.before(1).build(), {{"rx_own", 1}, {"fast_stack_hop_limit", 1}});
    check_stays(box, udp6.before(1).build(), {{"rx_own", 1}, {"fast_stack_hop_limit", 1}});
    check_stays(box, udp.before(0).build(), {{"rx_own", 1}, {"fast_stack_hop_limit", 1}});
  }
  SUBCASE("FIN, SYN and RST") {
    for (const uint8_t flags : {kFin, kSyn, kReset})
      check_stays(box, tcp.before(64, flags).build(), {{"rx_own", 1}, {"fast_stack_tcp_flags", 1}});
  }
  SUBCASE("IP options") {
    Bytes frame = udp.before().build();
    frame.insert(frame.begin() + 34, {1, 1, 1, 1});
    frame[14] = 0x46;
    check_stays(box, frame, {{"rx_own", 1}, {"fast_stack_options", 1}});
  }
  SUBCASE("IPv6 extension headers") {
    const Bytes rest = ports(4000, 53);
    for (const uint8_t kind : std::vector<uint8_t>{0, 43, 60}) {
      const Bytes frame = PacketBuilder()
                              .ethernet(kClientMac, kVmac)
                              .ipv6(udp6.source, udp6.destination)
                              .protocol(kind)
                              .payload(extension(IPPROTO_UDP) + rest)
                              .build();
      check_stays(box, frame, {{"rx_own", 1}, {"fast_stack_options", 1}});
    }
  }
  SUBCASE("fragments") {
    for (const bool first : {true, false})
      check_stays(box, udp.before().fragment(7, first ? 0 : 8, first).build(),
                  {{"rx_own", 1}, {"fast_stack_fragment", 1}});
    const Bytes frame6 = PacketBuilder()
                             .ethernet(kClientMac, kVmac)
                             .ipv6(udp6.source, udp6.destination)
                             .protocol(44)
                             .payload(fragment_header(IPPROTO_UDP, 7, 0, true) + ports(4000, 53))
                             .build();
    check_stays(box, frame6, {{"rx_own", 1}, {"fast_stack_fragment", 1}});
  }
  SUBCASE("longer than the link it leaves through allows") {
    check_goes_fast(box, udp.before().payload(Bytes(1472)).build(), udp.after().payload(Bytes(1472)).build());
    check_stays(box, udp.before().payload(Bytes(1473)).build(), {{"rx_own", 1}, {"fast_stack_mtu", 1}});
    check_stays(box, udp6.before().payload(Bytes(1453)).build(), {{"rx_own", 1}, {"fast_stack_mtu", 1}});
  }
  SUBCASE("come in on another interface than the session's") {
    nsrp_fast_flow elsewhere = box.permitted(udp);
    elsewhere.in_ifindex = box.other_traffic().value;
    box.put_fast_flow(udp.incoming(), elsewhere);
    check_stays(box, udp.before().build(), {{"rx_own", 1}, {"fast_stack_interface", 1}});
  }
  SUBCASE("to leave where XDP cannot send") {
    nsrp_fast_flow stuck = box.permitted(udp);
    stuck.out_ifindex = box.ha().value;
    box.put_fast_flow(udp.incoming(), stuck);
    check_stays(box, udp.before().build(), {{"rx_own", 1}, {"fast_stack_port", 1}});
  }
}

TEST_CASE("headers that are cut off or say too much go where they go without a fast path") {
  FastBox box;
  const Direction udp = udp_through_source_nat(), tcp = with_protocol(udp, IPPROTO_TCP);
  box.permit(udp);
  box.permit(tcp);
  for (size_t size = 15; size < tcp.before().build().size(); ++size) {
    const Outcome out = box.traffic_in(tcp.before().truncate(size).build());
    CHECK(out.verdict != XDP_REDIRECT);
  }
  CHECK(box.traffic_in(udp.before().claimed_length(24).build()).verdict == XDP_PASS);
  CHECK(box.traffic_in(udp.before().claimed_length(100).build()).verdict == XDP_DROP);
  CHECK(box.traffic_in(udp.before().claimed_length(0).build()).verdict == XDP_PASS);
  CHECK(box.counted()["fast_forwarded"] == 0);
}

TEST_CASE("a permit that has run out sends packets through the stack until it is renewed") {
  FastBox box;
  const Direction udp = udp_through_source_nat();
  nsrp_fast_flow flow = box.permitted(udp);
  flow.permit_until_ns = static_cast<uint64_t>(now().time_since_epoch().count()) - 1;
  box.put_fast_flow(udp.incoming(), flow);
  for (int i = 0; i < 2; ++i) check_stays(box, udp.before().build(), {{"rx_own", 1}, {"fast_stack_permit", 1}});
  CHECK(box.fast_flow(udp.incoming()).stack_ns != 0);
}

TEST_CASE("a packet close behind one that took the stack follows it there, but not for ever") {
  FastBox box;
  const Direction udp = udp_through_source_nat();
  nsrp_fast_flow flow = box.permitted(udp);
  const auto time = static_cast<uint64_t>(now().time_since_epoch().count());
  // The clock cannot be stopped, so permit and last packet lie a minute ahead of it.
  flow.permit_until_ns = time + NSRP_FAST_PERMIT_NS + 60'000'000'000;
  flow.stack_ns = time + 60'000'000'000;
  box.put_fast_flow(udp.incoming(), flow);
  check_stays(box, udp.before().build(), {{"rx_own", 1}, {"fast_stack_permit", 1}});
  flow.stack_ns = 0;
  box.put_fast_flow(udp.incoming(), flow);
  check_goes_fast(box, udp.before().build(), udp.after().build());
  // Granted a while ago: a sender that leaves no gaps waits no longer.
  CHECK(eventually([&] {
    const auto later = static_cast<uint64_t>(now().time_since_epoch().count());
    flow.permit_until_ns = later + NSRP_FAST_PERMIT_NS / 2;
    flow.stack_ns = later + 60'000'000'000;
    box.put_fast_flow(udp.incoming(), flow);
    return box.traffic_in(udp.before().build()).verdict == XDP_REDIRECT;
  }));
}

TEST_CASE("when routes, neighbours or rules change, no earlier permit holds") {
  FastBox box;
  const Direction udp = udp_through_source_nat();
  box.permit(udp);
  check_goes_fast(box, udp.before().build(), udp.after().build());
  box.change_ruleset();
  check_stays(box, udp.before().build(), {{"rx_own", 1}, {"fast_stack_generation", 1}});
}

TEST_CASE("without the lease the packet goes over the data link, permit or not") {
  FastBox box;
  const Direction udp = udp_through_source_nat();
  box.permit(udp);
  box.resign();
  (void)box.counted();
  const Outcome out = box.traffic_in(udp.before().build());
  CHECK(out.verdict == XDP_REDIRECT);
  CHECK(slice(out.frame, 0, 6) == slice(PacketBuilder().ethernet(kClientMac, kPeerHaMac).build(), 0, 6));
  CHECK(box.counted() == Counted{{"rx_to_peer", 1}});
  box.become_master();
  check_goes_fast(box, udp.before().build(), udp.after().build());
}

TEST_CASE("switched off, or on for the other protocol, nothing goes fast") {
  FastBox box;
  const Direction udp = udp_through_source_nat(), tcp = with_protocol(udp, IPPROTO_TCP);
  REQUIRE(box.datapath().set_fast_path({.tcp = true, .udp = false, .ports = {box.other_traffic()}}));
  ++box.generation_;
  box.permit(udp);
  box.permit(tcp);
  check_stays(box, udp.before().build(), {{"rx_own", 1}});
  check_goes_fast(box, tcp.before().build(), tcp.after().build());
  REQUIRE(box.datapath().set_fast_path({}));
  check_stays(box, tcp.before().build(), {{"rx_own", 1}});
}

TEST_CASE("frames to somebody else, and from our own virtual MAC, are not forwarded") {
  FastBox box;
  const Direction udp = udp_through_source_nat();
  box.permit(udp);
  Bytes frame = udp.before().build();
  std::ranges::copy(mac("00:0e:00:00:00:01").bytes, frame.begin());
  check_stays(box, frame, {});
  frame = udp.before().build();
  std::ranges::copy(mac(kVmac).bytes, frame.begin() + 6);
  CHECK(box.traffic_in(frame).verdict == XDP_DROP);
}

TEST_CASE("a session that leaves through a VLAN gets its tag, one that comes from a VLAN loses it") {
  FastBox box;
  const Direction udp = udp_through_source_nat();
  const IfIndex on_top{4242};  // a VLAN device on the first interface
  REQUIRE(box.datapath().set_interfaces(
      std::vector<kernel::InterfaceEntry>{{box.traffic(), NSRP_IF_TRAFFIC, kVid, mac(kOwnMac)},
                                          {on_top, NSRP_IF_TRAFFIC, kOtherVid, mac(kOwnMac), box.traffic(), 7}}));
  REQUIRE(box.datapath().set_vsis(std::vector<kernel::VsiEntry>{{box.traffic(), kVid, VsdId{0}, mac(kVmac)},
                                                                {on_top, kOtherVid, VsdId{0}, mac(kVmac)}}));
  const Bytes plain_in = udp.before().build(), plain_out = udp.after().build();
  const auto tagged = [](const Bytes& frame, uint8_t vid) {
    return slice(frame, 0, 12) + Bytes{0x81, 0, 0, vid} + slice(frame, 12, frame.size() - 12);
  };

  nsrp_fast_flow flow = box.permitted(udp);
  flow.out_vid = 9;
  box.put_fast_flow(udp.incoming(), flow);
  check_goes_fast(box, plain_in, tagged(plain_out, 9));

  flow.in_ifindex = on_top.value;
  box.put_fast_flow(udp.incoming(), flow);
  check_goes_fast(box, tagged(plain_in, 7), tagged(plain_out, 9));
  flow.out_vid = 0;
  box.put_fast_flow(udp.incoming(), flow);
  check_goes_fast(box, tagged(plain_in, 7), plain_out);
  check_stays(box, tagged(plain_in, 8), {{"rx_tagged", 1}});
  check_stays(box, tagged(tagged(plain_in, 7), 7), {{"rx_tagged", 1}});
}

TEST_CASE("packets from the data link go fast as if they had come in on their VSI's interface") {
  FastBox box;
  const std::vector<Direction> directions{udp_through_source_nat(), with_protocol(over_ipv6(), IPPROTO_TCP)};
  for (const Direction& direction : directions) {
    box.permit(direction);
    const Bytes inside = direction.before().build();
    const Bytes frame = PacketBuilder().ethernet(kPeerHaMac, kHaMac).vlan(kVid.value).truncate(16).build() +
                        slice(inside, 12, inside.size() - 12);
    (void)box.counted();
    const Outcome out = box.ha_in(frame);
    CHECK(out.verdict == XDP_REDIRECT);
    CHECK(out.frame == direction.after().build());
    CHECK(box.counted()["fast_crossed"] == 1);
    Bytes forged = frame;
    std::ranges::copy(mac(kClientMac).bytes, forged.begin() + 6);
    CHECK(box.ha_in(forged).verdict == XDP_DROP);
    box.resign();
    CHECK(box.ha_in(frame).verdict == XDP_DROP);
    box.become_master();
  }
}
