// SPDX-License-Identifier: Apache-2.0
// The egress guard: what may leave, and with which source MAC.
#include <doctest/doctest.h>

#include "test_box.h"

using namespace nsrp;
using namespace nsrp::test;

namespace {

PacketBuilder udp_from(std::string_view source, std::string_view source_mac = kOwnMac) {
  return PacketBuilder().ethernet(source_mac, kClientMac).ipv4(source, "10.1.1.99").udp(53, 4000);
}

PacketBuilder udp6_from(std::string_view source) {
  return PacketBuilder().ethernet(kOwnMac, kClientMac).ipv6(source, "2001:db8::99").udp(53, 4000);
}

void check_sent_as(TestBox& box, const Bytes& frame, const Egress& how, std::string_view expected_mac) {
  const Outcome out = box.tc_out(frame, how);
  CHECK(out.verdict == TC_ACT_UNSPEC);
  Bytes expected = frame;
  const MacAddress address = mac(expected_mac);
  std::copy(address.bytes.begin(), address.bytes.end(), expected.begin() + 6);
  CHECK(out.frame == expected);
  CHECK(box.counted() == (expected_mac == kOwnMac ? Counted{} : Counted{{"tx_vmac", 1}}));
}

void check_dropped(TestBox& box, const Bytes& frame, const Egress& how, const std::string& reason) {
  CHECK(box.tc_out(frame, how).verdict == TC_ACT_SHOT);
  CHECK(box.counted() == Counted{{reason, 1}});
}

const Egress kLocal{}, kForwarded{.forwarded = true};

}  // namespace

TEST_CASE("what a VSI sends carries the virtual MAC on the master, and stays in on others") {
  TestBox box;
  const Bytes v4 = udp_from("10.1.1.1").build(), v6 = udp6_from("2001:db8::1").build();
  for (const Egress& how : {kLocal, kForwarded}) {
    check_dropped(box, v4, how, "tx_drop_not_master");
    check_dropped(box, v6, how, "tx_drop_not_master");
  }
  box.become_master();
  for (const Egress& how : {kLocal, kForwarded}) {
    check_sent_as(box, v4, how, kVmac);
    check_sent_as(box, v6, how, kVmac);
  }
}

TEST_CASE("the device's own addresses keep the device's own MAC on every member") {
  TestBox box;
  for (const bool master : {false, true}) {
    if (master) box.become_master();
    for (const Egress& how : {kLocal, kForwarded}) {
      check_sent_as(box, udp_from("10.1.1.21").build(), how, kOwnMac);
      check_sent_as(box, udp6_from("2001:db8::21").build(), how, kOwnMac);
    }
    check_sent_as(box, udp_from("192.0.2.5").build(), kLocal, kOwnMac);  // of another interface
    check_sent_as(box, udp6_from("fe80::1").build(), kLocal, kOwnMac);
  }
}

TEST_CASE("forwarded packets leave as the only VSI of the interface, from its master only") {
  TestBox box;
  const Bytes v4 = udp_from("10.2.0.9").build(), v6 = udp6_from("2001:db8:2::9").build();
  check_dropped(box, v4, kForwarded, "tx_drop_not_master");
  check_dropped(box, v6, kForwarded, "tx_drop_not_master");
  box.become_master();
  check_sent_as(box, v4, kForwarded, kVmac);
  check_sent_as(box, v6, kForwarded, kVmac);
}

TEST_CASE("what was in the stack when the VSD was handed over still leaves, with the interface's own MAC") {
  TestBox box;
  box.become_master();
  box.datapath().revoke_lease(VsdId{0}, now() + seconds{60});
  const Bytes forwarded = udp_from("10.2.0.9").build(), forwarded6 = udp6_from("2001:db8:2::9").build();
  for (const Bytes& frame : {forwarded, forwarded6}) {
    const Outcome out = box.tc_out(frame, kForwarded);
    CHECK(out.verdict == TC_ACT_UNSPEC);
    CHECK(out.frame == frame);
    CHECK(box.counted() == Counted{{"tx_drained", 1}});
  }
  const Bytes asks =
      PacketBuilder().ethernet(kOwnMac, kBroadcast).arp_request(kOwnMac, "10.1.1.1", "10.1.1.99").build();
  check_dropped(box, asks, kLocal, "tx_drop_not_master");  // neighbours would learn the wrong MAC
  check_dropped(box, udp_from("10.2.0.9", kVmac).build(), kLocal, "tx_drop_vmac_source");
  box.datapath().revoke_lease(VsdId{0}, now() - milliseconds{1});
  check_dropped(box, forwarded, kForwarded, "tx_drop_not_master");
}

TEST_CASE("on an interface of several VSDs the mark decides, and without one nothing leaves") {
  TestBox box;
  box.add_second_vsd();
  box.become_master(VsdId{1});
  const Bytes frame = udp_from("10.2.0.9").build();
  const auto marked = [](uint32_t vsd) {
    return Egress{.forwarded = true, .mark = ((vsd + 1) << NSRP_MARK_SHIFT) | 5};
  };
  check_sent_as(box, frame, marked(1), kOtherVmac);
  check_dropped(box, frame, marked(0), "tx_drop_not_master");
  check_dropped(box, frame, marked(9), "tx_drop_no_vsd");
  check_dropped(box, frame, kForwarded, "tx_drop_no_vsd");
  check_sent_as(box, udp_from("10.1.1.2").build(), kForwarded, kOtherVmac);  // translated to a VSI's address
}

TEST_CASE("without a mark, the VSD is that of the interface the packet came in on, if it has only one") {
  TestBox box;
  box.add_second_vsd();
  box.become_master(VsdId{1});
  const Vid other_side{103};
  REQUIRE(box.datapath()
              .set_interfaces(std::vector<kernel::InterfaceEntry>{
                  {box.traffic(), NSRP_IF_TRAFFIC | NSRP_IF_MULTI_VSD, Vid{}, mac(kOwnMac)},
                  {box.other_traffic(), NSRP_IF_TRAFFIC, other_side, mac(kOwnMac)}})
              .has_value());
  REQUIRE(box.datapath()
              .set_vsis(
                  std::vector<kernel::VsiEntry>{{box.traffic(), kVid, VsdId{0}, mac(kVmac)},
                                                {box.traffic(), kOtherVid, VsdId{1}, mac(kOtherVmac)},
                                                {box.other_traffic(), other_side, VsdId{1}, mac("02:4e:53:01:01:02")}})
              .has_value());
  check_sent_as(box, udp_from("10.2.0.9").build(), kForwarded, kOtherVmac);
}

TEST_CASE("an interface without VSIs forwards as it is") {
  TestBox box;
  REQUIRE(
      box.datapath()
          .set_interfaces(std::vector<kernel::InterfaceEntry>{{box.traffic(), NSRP_IF_TRAFFIC, Vid{}, mac(kOwnMac)}})
          .has_value());
  check_sent_as(box, udp_from("10.2.0.9").build(), kForwarded, kOwnMac);
}

TEST_CASE("a frame made with the virtual MAC leaves the master only, whatever is in it") {
  TestBox box;
  const Bytes gratuitous =
      PacketBuilder().ethernet(kVmac, kBroadcast).arp_reply(kVmac, "10.1.1.1", kBroadcast, "10.1.1.1").build();
  const Bytes advert = PacketBuilder()
                           .ethernet(kVmac, "33:33:00:00:00:01")
                           .ipv6("2001:db8::1", "ff02::1")
                           .advertise("2001:db8::1", kVmac)
                           .build();
  const Bytes unknown = PacketBuilder().ethernet(kVmac, kBroadcast).ethertype(0x88cc).payload({1, 2, 3}).build();
  for (const Bytes& frame : {gratuitous, advert, unknown, udp_from("10.2.0.9", kVmac).build()}) {
    box.resign();
    check_dropped(box, frame, kLocal, "tx_drop_vmac_source");
    box.become_master();
    check_sent_as(box, frame, kLocal, kVmac);
  }
}

TEST_CASE("ARP of the kernel from a VSI address names the virtual MAC, and leaves the master only") {
  TestBox box;
  const Bytes request =
      PacketBuilder().ethernet(kOwnMac, kBroadcast).arp_request(kOwnMac, "10.1.1.1", "10.1.1.99").build();
  check_dropped(box, request, kLocal, "tx_drop_not_master");
  box.become_master();
  const Outcome out = box.tc_out(request);
  CHECK(out.verdict == TC_ACT_UNSPEC);
  CHECK(out.frame == PacketBuilder().ethernet(kVmac, kBroadcast).arp_request(kVmac, "10.1.1.1", "10.1.1.99").build());
  CHECK(box.counted() == Counted{{"tx_vmac", 1}});
}

TEST_CASE("ARP from the device's own address is left alone") {
  TestBox box;
  box.become_master();
  check_sent_as(box,
                PacketBuilder().ethernet(kOwnMac, kBroadcast).arp_request(kOwnMac, "10.1.1.21", "10.1.1.99").build(),
                kLocal, kOwnMac);
  check_sent_as(
      box,
      PacketBuilder().ethernet(kOwnMac, kBroadcast).arp_request(kOwnMac, "10.1.1.1", "10.1.1.99").truncate(40).build(),
      kLocal, kOwnMac);
}

TEST_CASE("the kernel's advertisements for VSI addresses never leave: XDP has answered") {
  TestBox box;
  const auto advert_for = [](std::string_view target) {
    return PacketBuilder()
        .ethernet(kOwnMac, kClientMac)
        .ipv6("2001:db8::21", "2001:db8::99")
        .advertise(target, kOwnMac)
        .build();
  };
  for (const bool master : {false, true}) {
    if (master) box.become_master();
    check_dropped(box, advert_for("2001:db8::1"), kLocal, "tx_drop_kernel_na");
    check_sent_as(box, advert_for("2001:db8::21"), kLocal, kOwnMac);
  }
}

TEST_CASE("a solicitation from a VSI address names the virtual MAC with a right checksum") {
  TestBox box;
  const auto solicitation = [](std::string_view source, std::string_view source_mac) {
    return PacketBuilder()
        .ethernet(source_mac, "33:33:ff:00:00:99")
        .ipv6(source, "ff02::1:ff00:99")
        .solicit("2001:db8::99", source_mac)
        .build();
  };
  check_dropped(box, solicitation("2001:db8::1", kOwnMac), kLocal, "tx_drop_not_master");
  box.become_master();
  const Outcome out = box.tc_out(solicitation("2001:db8::1", kOwnMac));
  CHECK(out.verdict == TC_ACT_UNSPEC);
  CHECK(out.frame == solicitation("2001:db8::1", kVmac));
  CHECK(icmpv6_checksum_is_right(out.frame));
  CHECK(box.counted() == Counted{{"tx_vmac", 1}});
  check_sent_as(box, solicitation("fe80::1", kOwnMac), kLocal, kOwnMac);
}

TEST_CASE("frames that are neither ARP nor IP, or cut off, are none of the guard's business") {
  TestBox box;
  check_sent_as(box, PacketBuilder().ethernet(kOwnMac, kBroadcast).ethertype(0x88cc).payload({1}).build(), kLocal,
                kOwnMac);
  check_sent_as(box, udp_from("10.1.1.21").truncate(36).build(), kLocal, kOwnMac);
}
