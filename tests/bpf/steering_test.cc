// SPDX-License-Identifier: Apache-2.0
// Whose a packet is on a box of an active/active cluster: by session, by address, by egress, by virtual MAC.
#include <doctest/doctest.h>
#include <netinet/in.h>

#include "test_box.h"

using namespace nsrp;
using namespace nsrp::test;

namespace {

constexpr std::string_view kClient = "10.1.1.99", kClient6 = "2001:db8::99";
constexpr std::string_view kServer = "10.2.0.9", kServer6 = "2001:db8:2::9";

// VSD 0 is mastered here, VSD 1 elsewhere.
struct HalfBox : TestBox {
  HalfBox() {
    make_active_active();
    become_master(VsdId{0});
  }
};

PacketBuilder from_client(std::string_view to_mac, std::string_view destination = kServer) {
  return PacketBuilder().ethernet(kClientMac, to_mac).ipv4(kClient, destination);
}
PacketBuilder from_client6(std::string_view to_mac, std::string_view destination = kServer6) {
  return PacketBuilder().ethernet(kClientMac, to_mac).ipv6(kClient6, destination);
}
Bytes udp(std::string_view to_mac, std::string_view destination = kServer) {
  return from_client(to_mac, destination).udp(4000, 53).build();
}
Bytes udp6(std::string_view to_mac, std::string_view destination = kServer6) {
  return from_client6(to_mac, destination).udp(4000, 53).build();
}

// The flow udp() belongs to, with source translation to an address of the VSD's VSI.
void put_flow(TestBox& box, VsdId vsd, std::string_view translated = "10.2.0.2") {
  box.put_session(flow_tuple(IPPROTO_UDP, kClient, 4000, kServer, 53),
                  flow_tuple(IPPROTO_UDP, kServer, 53, translated, 4000), vsd);
  box.put_session(flow_tuple(IPPROTO_UDP, kClient6, 4000, kServer6, 53),
                  flow_tuple(IPPROTO_UDP, kServer6, 53, kClient6, 4000), vsd);
}

void check_sent(const Outcome& out, Vid as) {
  REQUIRE(out.verdict == XDP_REDIRECT);
  CHECK(slice(out.frame, 0, 16) == PacketBuilder().ethernet(kHaMac, kPeerHaMac).vlan(as.value).truncate(16).build());
}

uint32_t mark_of(VsdId vsd) {
  return (vsd.value + 1u) << NSRP_MARK_SHIFT;
}

}  // namespace

TEST_CASE("a packet of a session goes to the master of its VSD, whichever virtual MAC it was sent to") {
  HalfBox box;
  put_flow(box, VsdId{1});
  for (const Bytes& frame : {udp(kVmac), udp6(kVmac), udp(kOwnMac), udp6(kOwnMac)})
    check_sent(box.traffic_in(frame), kOtherVid);
  CHECK(box.counted() == Counted{{"rx_to_peer_session", 4}});
}

TEST_CASE("the other direction of a session leads to the same master") {
  HalfBox box;
  put_flow(box, VsdId{1});
  const Bytes answer = PacketBuilder().ethernet(kClientMac, kFarVmac).ipv4(kServer, "10.2.0.2").udp(53, 4000).build();
  const Bytes answer6 = PacketBuilder().ethernet(kClientMac, kFarVmac).ipv6(kServer6, kClient6).udp(53, 4000).build();
  check_sent(box.other_traffic_in(answer), kFarOtherVid);
  check_sent(box.other_traffic_in(answer6), kFarOtherVid);
  CHECK(box.counted() == Counted{{"rx_to_peer_session", 2}});
}

TEST_CASE("a packet of a session of ours stays, although its virtual MAC is of a VSD mastered elsewhere") {
  HalfBox box;
  put_flow(box, VsdId{0});
  for (const Bytes& frame : {udp(kOtherVmac), udp6(kOtherVmac)}) {
    CHECK(box.traffic_in(frame).verdict == XDP_PASS);
    const Outcome out = box.tc_in(frame);
    CHECK(out.verdict == TC_ACT_UNSPEC);
    CHECK(out.mark == mark_of(VsdId{0}));
  }
  CHECK(box.counted() == Counted{{"rx_own_steered", 2}});
}

TEST_CASE("echo requests have sessions as well, and unknown flows go by their virtual MAC") {
  HalfBox box;
  box.put_session(flow_tuple(IPPROTO_ICMP, kClient, 7, kServer, 0), flow_tuple(IPPROTO_ICMP, kServer, 7, kClient, 0),
                  VsdId{1});
  check_sent(box.traffic_in(from_client(kVmac).protocol(1).payload(icmp(8, 7)).build()), kOtherVid);
  CHECK(box.traffic_in(from_client(kVmac).protocol(1).payload(icmp(8, 8)).build()).verdict == XDP_PASS);
  CHECK(box.traffic_in(udp(kVmac)).verdict == XDP_PASS);
  check_sent(box.traffic_in(udp(kOtherVmac)), kOtherVid);
  CHECK(box.counted() == Counted{{"rx_own", 2}, {"rx_to_peer", 1}, {"rx_to_peer_session", 1}});
}

TEST_CASE("a session of a VSD that is no more does not count") {
  HalfBox box;
  put_flow(box, VsdId{9});
  CHECK(box.traffic_in(udp(kVmac)).verdict == XDP_PASS);
}

TEST_CASE("an ICMP error goes with the session it speaks of") {
  HalfBox box;
  put_flow(box, VsdId{1});
  // A router beyond the server's side has got the translated packet.
  const Bytes quoted = PacketBuilder()
                           .ethernet(kClientMac, kClientMac)
                           .ipv4("10.2.0.2", kServer)
                           .protocol(IPPROTO_UDP)
                           .payload(ports(4000, 53))
                           .build();
  const Bytes error = PacketBuilder()
                          .ethernet(kClientMac, kFarVmac)
                          .ipv4("10.2.0.254", "10.2.0.1")
                          .protocol(1)
                          .payload(icmp(3) + slice(quoted, 14, quoted.size() - 14))
                          .build();
  check_sent(box.other_traffic_in(error), kFarOtherVid);
  const Bytes quoted6 = PacketBuilder()
                            .ethernet(kClientMac, kClientMac)
                            .ipv6(kServer6, kClient6)
                            .protocol(IPPROTO_UDP)
                            .payload(ports(53, 4000))
                            .build();
  const Bytes error6 =
      from_client6(kVmac).protocol(58).payload(icmp(2) + slice(quoted6, 14, quoted6.size() - 14)).build();
  check_sent(box.traffic_in(error6), kOtherVid);
  CHECK(box.counted() == Counted{{"rx_to_peer_session", 2}});
}

TEST_CASE("what leaves through a VSI that is inactive here goes to that VSI's master") {
  HalfBox box;
  box.become_master(VsdId{1});
  box.resign(VsdId{0});
  // The only route there is VSD 0's (manual ch. 1, figure 8, first case).
  check_sent(box.traffic_in(udp(kOtherVmac, "10.3.0.9")), kVid);
  check_sent(box.traffic_in(udp6(kOtherVmac, "2001:db8:3::9")), kVid);
  CHECK(box.counted() == Counted{{"rx_to_peer_egress", 2}});
  // With a route of its own, or to a neighbour, VSD 1 sends for itself (second case).
  for (const Bytes& frame :
       {udp(kOtherVmac, "10.4.0.9"), udp6(kOtherVmac, "2001:db8:4::9"), udp(kOtherVmac), udp6(kOtherVmac)}) {
    CHECK(box.traffic_in(frame).verdict == XDP_PASS);
    CHECK(box.tc_in(frame).mark == mark_of(VsdId{1}));
  }
  CHECK(box.counted() == Counted{{"rx_own", 4}});
}

TEST_CASE("when one box masters both VSDs, packets are marked with the VSD they will leave through") {
  HalfBox box;
  box.become_master(VsdId{1});
  const Bytes frame = udp(kOtherVmac, "10.3.0.9");
  CHECK(box.traffic_in(frame).verdict == XDP_PASS);
  CHECK(box.tc_in(frame).mark == mark_of(VsdId{0}));
  CHECK(box.counted() == Counted{{"rx_own_steered", 1}});
}

TEST_CASE("the address of a VSI, on whichever side, is its master's") {
  HalfBox box;
  check_sent(box.traffic_in(udp(kVmac, "10.2.0.2")), kOtherVid);
  check_sent(box.traffic_in(udp6(kVmac, "2001:db8:2::2")), kOtherVid);
  CHECK(box.counted() == Counted{{"rx_to_peer_address", 2}});
  CHECK(box.traffic_in(udp(kOtherVmac, "10.2.0.1")).verdict == XDP_PASS);
  CHECK(box.counted() == Counted{{"rx_own_steered", 1}});
}

TEST_CASE("the device's own addresses stay local, whatever MAC they come to") {
  HalfBox box;
  put_flow(box, VsdId{1});
  for (const std::string_view to_mac : {kOwnMac, kVmac, kOtherVmac}) {
    for (const std::string_view manage : {"10.1.1.21", "10.2.0.21"}) {
      const Bytes frame = udp(to_mac, manage);
      CHECK(box.traffic_in(frame).verdict == XDP_PASS);
      const Outcome out = box.tc_in(frame);
      CHECK(out.verdict == TC_ACT_UNSPEC);
      CHECK(out.mark == 0);
    }
  }
}

TEST_CASE("packets to no single host go by their virtual MAC only") {
  HalfBox box;
  for (const std::string_view to : {"224.0.0.5", "255.255.255.255", "127.0.0.1", "0.0.0.0"}) {
    CHECK(box.traffic_in(udp(kVmac, to)).verdict == XDP_PASS);
    CHECK(box.traffic_in(udp(kBroadcast, to)).verdict == XDP_PASS);
  }
  for (const std::string_view to : {"ff02::5", "fe80::5"}) CHECK(box.traffic_in(udp6(kVmac, to)).verdict == XDP_PASS);
  CHECK(box.counted() == Counted{{"rx_own", 6}});
}

TEST_CASE("all fragments of a packet go where the first one belongs") {
  HalfBox box;
  put_flow(box, VsdId{1});
  const auto fragment = [](uint16_t id, uint16_t offset) {
    return from_client(kVmac).fragment(id, offset, true).protocol(IPPROTO_UDP).payload(ports(4000, 53)).build();
  };
  const auto fragment6 = [](uint32_t id, uint16_t offset) {
    return from_client6(kVmac)
        .protocol(44)
        .payload(fragment_header(IPPROTO_UDP, id, offset, true) + ports(4000, 53))
        .build();
  };
  check_sent(box.traffic_in(fragment(77, 0)), kOtherVid);
  check_sent(box.traffic_in(fragment(77, 8)), kOtherVid);
  check_sent(box.traffic_in(fragment6(0x10002, 0)), kOtherVid);
  check_sent(box.traffic_in(fragment6(0x10002, 8)), kOtherVid);
  CHECK(box.counted() == Counted{{"rx_to_peer_session", 4}});
  CHECK(box.traffic_in(fragment(78, 8)).verdict == XDP_PASS);
  CHECK(box.traffic_in(fragment6(0x20002, 8)).verdict == XDP_PASS);
  CHECK(box.counted() == Counted{{"rx_own", 2}, {"rx_fragment_unknown", 2}});
}

TEST_CASE("a flow is found behind IPv6 extension headers, four of them and no more") {
  HalfBox box;
  put_flow(box, VsdId{1});
  const auto behind = [](int headers) {
    Bytes chain;
    for (int i = 1; i <= headers; ++i) chain = chain + extension(i == headers ? IPPROTO_UDP : 60);
    return from_client6(kVmac).protocol(headers == 0 ? IPPROTO_UDP : 60).payload(chain + ports(4000, 53)).build();
  };
  for (const int headers : {0, 1, 4}) check_sent(box.traffic_in(behind(headers)), kOtherVid);
  CHECK(box.traffic_in(behind(5)).verdict == XDP_PASS);
  CHECK(box.counted() == Counted{{"rx_to_peer_session", 3}, {"rx_own", 1}});
}

TEST_CASE("what crossed the data link is taken as its VSI says, and where that is inactive by the same rules") {
  HalfBox box;
  const auto crossing = [](Vid vid) {
    return PacketBuilder().ethernet(kPeerHaMac, kHaMac).vlan(vid.value).ipv4(kClient, kServer).udp(4000, 53).build();
  };
  put_flow(box, VsdId{1});
  CHECK(box.ha_in(crossing(kVid)).verdict == XDP_PASS);  // the peer may know better
  CHECK(box.ha_in(crossing(kOtherVid)).verdict == XDP_DROP);
  CHECK(box.counted() == Counted{{"dl_drop_not_master", 1}});
  put_flow(box, VsdId{0});
  CHECK(box.ha_in(crossing(kOtherVid)).verdict == XDP_PASS);
}

TEST_CASE("what has crossed never crosses again, whatever it belongs to") {
  HalfBox box;
  put_flow(box, VsdId{1});
  const auto crossed = [](std::string_view to_mac) {
    return PacketBuilder().ethernet(kPeerHaMac, to_mac).ipv4(kClient, kServer).udp(4000, 53).build();
  };
  CHECK(box.traffic_in(crossed(kOtherVmac)).verdict == XDP_DROP);
  CHECK(box.traffic_in(crossed(kOwnMac)).verdict == XDP_DROP);
  CHECK(box.counted() == Counted{{"dl_drop_not_master", 2}});
  CHECK(box.traffic_in(crossed(kVmac)).verdict == XDP_PASS);
  CHECK(box.tc_in(crossed(kVmac)).mark == mark_of(VsdId{0}));
}

TEST_CASE("a frame longer than the data link takes is dropped where a counter sees it") {
  HalfBox box;
  const auto of_size = [](size_t size) { return from_client(kOtherVmac).udp(1, 2).payload(Bytes(size - 42)).build(); };
  CHECK(box.traffic_in(of_size(1514)).verdict == XDP_REDIRECT);
  CHECK(box.traffic_in(of_size(1515)).verdict == XDP_DROP);
  CHECK(box.counted() == Counted{{"rx_to_peer", 1}, {"rx_drop_data_link_mtu", 1}});
}

TEST_CASE("frames with a VLAN tag are for the VLAN device on top") {
  HalfBox box;
  const Bytes tagged =
      PacketBuilder().ethernet(kClientMac, kOtherVmac).vlan(5).ipv4(kClient, kServer).udp(1, 2).build();
  const Bytes twice =
      PacketBuilder().ethernet(kClientMac, kOtherVmac).vlan(5).vlan(6).ipv4(kClient, kServer).udp(1, 2).build();
  for (const Bytes& frame : {tagged, twice}) CHECK(box.traffic_in(frame).verdict == XDP_PASS);
  CHECK(box.counted() == Counted{{"rx_tagged", 2}});
}
