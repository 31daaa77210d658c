// SPDX-License-Identifier: Apache-2.0
// ARP for VSI addresses at XDP ingress.
#include <doctest/doctest.h>

#include "test_box.h"

using namespace nsrp;
using namespace nsrp::test;

namespace {

PacketBuilder who_has(std::string_view target, std::string_view sender_ip = "10.1.1.99") {
  return PacketBuilder().ethernet(kClientMac, kBroadcast).arp_request(kClientMac, sender_ip, target);
}

}  // namespace

TEST_CASE("the master answers ARP for a VSI address with the virtual MAC") {
  TestBox box;
  box.become_master();
  const Outcome out = box.traffic_in(who_has("10.1.1.1").pad_to(60).build());
  CHECK(out.verdict == XDP_TX);
  CHECK(out.frame == PacketBuilder()
                         .ethernet(kVmac, kClientMac)
                         .arp_reply(kVmac, "10.1.1.1", kClientMac, "10.1.1.99")
                         .pad_to(60)
                         .build());
  CHECK(box.counted() == Counted{{"arp_answered", 1}});
}

TEST_CASE("the master defends a VSI address against an address probe") {
  TestBox box;
  box.become_master();
  const Outcome out = box.traffic_in(who_has("10.1.1.1", "0.0.0.0").build());
  CHECK(out.verdict == XDP_TX);
  CHECK(out.frame ==
        PacketBuilder().ethernet(kVmac, kClientMac).arp_reply(kVmac, "10.1.1.1", kClientMac, "0.0.0.0").build());
}

TEST_CASE("a non-master keeps silent about a VSI address") {
  TestBox box;
  CHECK(box.traffic_in(who_has("10.1.1.1").build()).verdict == XDP_DROP);
  CHECK(box.counted() == Counted{{"arp_drop_not_master", 1}});
}

TEST_CASE("ARP that is not a request for a VSI address reaches the stack untouched") {
  TestBox box;
  box.become_master();
  const Bytes for_manage_ip = who_has("10.1.1.21").build();
  const Bytes for_a_stranger = who_has("10.1.1.77").build();
  const Bytes reply =
      PacketBuilder().ethernet(kClientMac, kOwnMac).arp_reply(kClientMac, "10.1.1.99", kOwnMac, "10.1.1.1").build();
  Bytes other_protocol = who_has("10.1.1.1").build();
  other_protocol.at(16) = 0x86;  // the protocol whose addresses are asked for
  for (const Bytes& frame : {for_manage_ip, for_a_stranger, reply, other_protocol}) {
    const Outcome out = box.traffic_in(frame);
    CHECK(out.verdict == XDP_PASS);
    CHECK(out.frame == frame);
  }
  CHECK(box.counted().empty());
}

TEST_CASE("an ARP request that is shorter than it says is dropped and counted") {
  TestBox box;
  box.become_master();
  for (const size_t size : {14u, 21u, 22u, 38u, 41u})
    CHECK(box.traffic_in(who_has("10.1.1.1").truncate(size).build()).verdict == XDP_DROP);
  CHECK(box.counted() == Counted{{"rx_drop_malformed", 5}});
}
