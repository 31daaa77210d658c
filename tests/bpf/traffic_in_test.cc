// SPDX-License-Identifier: Apache-2.0
// Frames to and from virtual MACs, as they come in on a traffic interface.
#include <doctest/doctest.h>

#include "test_box.h"

using namespace nsrp;
using namespace nsrp::test;

namespace {

PacketBuilder from_client(std::string_view destination_mac) {
  return PacketBuilder().ethernet(kClientMac, destination_mac).ipv4("10.1.1.99", "10.2.0.9").udp(4000, 53);
}

}  // namespace

TEST_CASE("the master's stack gets what is sent to the virtual MAC") {
  TestBox box;
  box.become_master();
  const Bytes frame = from_client(kVmac).build();
  CHECK(box.traffic_in(frame).verdict == XDP_PASS);
  CHECK(box.counted() == Counted{{"rx_own", 1}});
  CHECK(box.tc_in(frame).verdict == TC_ACT_UNSPEC);
  CHECK(box.counted().empty());
}

TEST_CASE("a non-master sends what comes to the virtual MAC over the data link, tagged with the VSI") {
  TestBox box;
  const Bytes frame = from_client(kVmac).payload({1, 2, 3}).build();
  const Outcome out = box.traffic_in(frame);
  CHECK(out.verdict == XDP_REDIRECT);
  Bytes expected = PacketBuilder().ethernet(kHaMac, kPeerHaMac).vlan(kVid.value).ethertype(0x0800).build();
  const Bytes packet = slice(frame, 14, frame.size() - 14);
  expected.insert(expected.end(), packet.begin(), packet.end());
  CHECK(out.frame == expected);
  CHECK(box.counted() == Counted{{"rx_to_peer", 1}});
}

TEST_CASE("without a way to the master, packets are dropped with the reason counted") {
  TestBox box;
  const Bytes frame = from_client(kVmac).build();
  box.set_data_link(false, true);
  CHECK(box.traffic_in(frame).verdict == XDP_DROP);
  CHECK(box.counted() == Counted{{"rx_drop_no_data_link", 1}});
  box.set_data_link(true, false);
  CHECK(box.traffic_in(frame).verdict == XDP_DROP);
  CHECK(box.counted() == Counted{{"rx_drop_forwarding_off", 1}});
  box.set_data_link(true, true);
  CHECK(box.traffic_in(frame).verdict == XDP_REDIRECT);
}

TEST_CASE("a packet that has crossed the data link never goes back") {
  TestBox box;
  const Bytes frame = PacketBuilder().ethernet(kPeerHaMac, kVmac).ipv4("10.1.1.99", "10.2.0.9").udp(1, 2).build();
  CHECK(box.traffic_in(frame).verdict == XDP_DROP);
  CHECK(box.counted() == Counted{{"dl_drop_not_master", 1}});
}

TEST_CASE("a master drops frames that claim to come from its virtual MAC") {
  TestBox box;
  box.become_master();
  const Bytes frame = PacketBuilder().ethernet(kVmac, kOwnMac).ipv4("10.2.0.9", "10.1.1.21").udp(53, 4000).build();
  CHECK(box.traffic_in(frame).verdict == XDP_DROP);
  CHECK(box.counted() == Counted{{"rx_drop_own_vmac_source", 1}});
}

TEST_CASE("a backup hears the master: the virtual MAC as source is no spoof there") {
  TestBox box;
  const Bytes frame = PacketBuilder().ethernet(kVmac, kOwnMac).ipv4("10.2.0.9", "10.1.1.21").udp(53, 4000).build();
  CHECK(box.traffic_in(frame).verdict == XDP_PASS);
  CHECK(box.counted().empty());
}

TEST_CASE("frames to other MACs pass, on master and backup") {
  TestBox box;
  const Bytes to_own = from_client(kOwnMac).build(), to_all = from_client(kBroadcast).build(),
              to_other = from_client(kOtherVmac).build(),
              short_one = PacketBuilder().ethernet(kClientMac, kOwnMac).ethertype(0x0800).build();
  for (const bool master : {false, true}) {
    if (master) box.become_master();
    for (const Bytes& frame : {to_own, to_all, to_other, short_one}) {
      CHECK(box.traffic_in(frame).verdict == XDP_PASS);
      if (frame.size() > 14) CHECK(box.tc_in(frame).verdict == TC_ACT_UNSPEC);  // BPF_PROG_TEST_RUN wants more
    }
  }
  CHECK(box.counted().empty());
}

TEST_CASE("a frame to the virtual MAC that is shorter than its headers say is dropped and counted") {
  TestBox box;
  box.become_master();
  const Bytes no_header = PacketBuilder().ethernet(kClientMac, kVmac).ethertype(0x0800).build();
  const Bytes no_header6 = PacketBuilder().ethernet(kClientMac, kVmac).ethertype(0x86dd).build();
  Bytes short_ihl = from_client(kVmac).build();
  short_ihl.at(14) = 0x44;
  const Bytes cut6 =
      PacketBuilder().ethernet(kClientMac, kVmac).ipv6("2001:db8::99", "2001:db8:2::9").udp(1, 2).truncate(58).build();
  for (const Bytes& frame : {no_header, no_header6, short_ihl, cut6, from_client(kVmac).truncate(33).build(),
                             from_client(kVmac).truncate(40).build(), from_client(kVmac).claimed_length(19).build(),
                             from_client(kVmac).claimed_length(1000).build()})
    CHECK(box.traffic_in(frame).verdict == XDP_DROP);
  CHECK(box.counted() == Counted{{"rx_drop_malformed", 8}});
  CHECK(box.traffic_in(from_client(kVmac).pad_to(60).build()).verdict == XDP_PASS);
}

TEST_CASE("what passed XDP just before mastership went is dropped by tc ingress") {
  TestBox box;
  CHECK(box.tc_in(from_client(kVmac).build()).verdict == TC_ACT_SHOT);
  CHECK(box.counted() == Counted{{"rx_drop_not_master", 1}});
}

TEST_CASE("packets are marked with their VSD where an interface carries several, and only there") {
  TestBox box;
  box.become_master(VsdId{0});
  box.become_master(VsdId{1});
  CHECK(box.tc_in(from_client(kVmac).build()).mark == 0);
  box.add_second_vsd();
  CHECK(box.tc_in(from_client(kVmac).build()).mark == 1u << NSRP_MARK_SHIFT);
  CHECK(box.tc_in(from_client(kOtherVmac).build()).mark == 2u << NSRP_MARK_SHIFT);
}

TEST_CASE("each VSD of an interface has its own master") {
  TestBox box;
  box.add_second_vsd();
  box.become_master(VsdId{1});
  CHECK(box.traffic_in(from_client(kVmac).build()).verdict == XDP_REDIRECT);
  CHECK(box.traffic_in(from_client(kOtherVmac).build()).verdict == XDP_PASS);
}
