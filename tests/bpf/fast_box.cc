// SPDX-License-Identifier: Apache-2.0
#include "fast_box.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace nsrp::test {
namespace {

uint32_t sum_of(const nsrp_u8 (&address)[16]) {
  uint32_t sum = 0;
  for (size_t i = 0; i < 16; i += 2) {
    uint16_t word = 0;
    std::copy_n(&address[i], 2, reinterpret_cast<uint8_t*>(&word));
    sum += word;
  }
  return sum;
}

}  // namespace

PacketBuilder Direction::packet(PacketBuilder frame, bool after, uint8_t hops, uint8_t tcp_flags) const {
  const auto from = after ? new_source : source, to = after ? new_destination : destination;
  const uint16_t from_port = after ? new_source_port : source_port,
                 to_port = after ? new_destination_port : destination_port;
  if (v6()) frame.ipv6(from, to);
  if (!v6()) frame.ipv4(from, to);
  frame.hop_limit(hops);
  return protocol == IPPROTO_TCP ? frame.tcp(from_port, to_port, tcp_flags) : frame.udp(from_port, to_port);
}
PacketBuilder Direction::before(uint8_t hops, uint8_t tcp_flags) const {
  return packet(PacketBuilder().ethernet(kClientMac, kVmac), false, hops, tcp_flags);
}
PacketBuilder Direction::after(uint8_t hops) const {
  return packet(PacketBuilder().ethernet(kFarVmac, kNextHop), true, hops, 0x10);
}

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

nsrp_fast_flow FastBox::permitted(const Direction& direction) {
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

void FastBox::change_ruleset() {
  REQUIRE(datapath().void_permits().has_value());
}

void check_goes_fast(FastBox& box, const Bytes& frame, const Bytes& expected) {
  (void)box.counted();
  const Outcome out = box.traffic_in(frame);
  CHECK(out.verdict == XDP_REDIRECT);
  CHECK(out.frame == expected);
  CHECK(box.counted()["fast_forwarded"] == 1);
}

void check_stays(FastBox& box, const Bytes& frame, const Counted& expected) {
  (void)box.counted();
  const Outcome out = box.traffic_in(frame);
  CHECK(out.verdict == XDP_PASS);
  CHECK(out.frame == frame);
  CHECK(box.counted() == expected);
}

}  // namespace nsrp::test
