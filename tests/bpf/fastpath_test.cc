// SPDX-License-Identifier: Apache-2.0
// What XDP does with packets of a session that has a permit.
#include <doctest/doctest.h>

#include <algorithm>

#include "fast_box.h"

using namespace nsrp;
using namespace nsrp::test;

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
