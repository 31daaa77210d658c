// SPDX-License-Identifier: Apache-2.0
// Mastership as a lease: struct nsrp_vsd_state of the ABI, seen through the programs.
#include <doctest/doctest.h>

#include "test_box.h"
#include "wire/bodies.h"

using namespace nsrp;
using namespace nsrp::test;

namespace {

bool answers_as_master(TestBox& box) {
  return box.traffic_in(PacketBuilder()
                            .ethernet(kClientMac, kBroadcast)
                            .arp_request(kClientMac, "10.1.1.99", "10.1.1.1")
                            .build())
             .verdict == XDP_TX;
}

// As daemons send it: what the program looks for must be where they put it.
Bytes heartbeat(uint8_t cluster, std::string_view source = kPeerHaMac,
                wire::FrameType type = wire::FrameType::kHeartbeat) {
  return wire::encode_frame({.source = *MacAddress::parse(source),
                             .type = type,
                             .cluster = ClusterId{cluster},
                             .link = core::LinkIndex{0},
                             .unit = UnitId{0x02bb0000000a},
                             .epoch = 1,
                             .counter = 1},
                            wire::encode(wire::HeartbeatBody{}));
}

constexpr VsdId kVsd{0};

}  // namespace

TEST_CASE("a lease makes a master until it expires") {
  TestBox box;
  CHECK_FALSE(answers_as_master(box));
  box.datapath().grant_lease(kVsd, now() + seconds{60}, Duration{}, 7);
  CHECK(answers_as_master(box));
  CHECK(box.datapath().lease(kVsd).term == 7);
  box.datapath().grant_lease(kVsd, now() - milliseconds{1}, Duration{}, 7);
  CHECK_FALSE(answers_as_master(box));
}

TEST_CASE("revoking a lease ends mastership at once") {
  TestBox box;
  box.become_master();
  CHECK(answers_as_master(box));
  box.datapath().revoke_lease(kVsd);
  CHECK_FALSE(answers_as_master(box));
  CHECK(box.datapath().lease(kVsd).until == Instant{});
}

TEST_CASE("a successor masters the VSD from the first packet that its master passes on") {
  TestBox box;
  const Bytes passed_on =
      PacketBuilder().ethernet(kPeerHaMac, kHaMac).vlan(kVid.value).ipv4("10.1.1.99", "10.2.0.9").udp(4000, 53).build();
  CHECK(box.ha_in(passed_on).verdict == XDP_DROP);
  box.datapath().set_succession(kVsd, now() + seconds{60});
  CHECK_FALSE(answers_as_master(box));
  CHECK(box.ha_in(passed_on).verdict == XDP_PASS);
  CHECK(answers_as_master(box));
  CHECK(box.counted()["dl_succeeded"] == 1);
  SUBCASE("until the succession ends") {
    box.datapath().set_succession(kVsd, now() - milliseconds{1});
  }
  SUBCASE("until it is withdrawn") {
    box.datapath().set_succession(kVsd, {});
  }
  SUBCASE("until the daemon steps back") {
    box.datapath().revoke_lease(kVsd);
  }
  CHECK_FALSE(answers_as_master(box));
  CHECK(box.ha_in(passed_on).verdict == XDP_DROP);
}

TEST_CASE("a lease takes the place of a succession") {
  TestBox box;
  box.datapath().set_succession(kVsd, now() + seconds{60});
  box.become_master();
  box.datapath().grant_lease(kVsd, now() - milliseconds{1}, Duration{}, 7);
  CHECK(box.ha_in(PacketBuilder()
                      .ethernet(kPeerHaMac, kHaMac)
                      .vlan(kVid.value)
                      .ipv4("10.1.1.99", "10.2.0.9")
                      .udp(4000, 53)
                      .build())
            .verdict == XDP_DROP);
  CHECK_FALSE(answers_as_master(box));
}

TEST_CASE("the lease of one VSD says nothing about another") {
  TestBox box;
  box.become_master(VsdId{63});
  CHECK_FALSE(answers_as_master(box));
}

TEST_CASE("the first heartbeat of a peer starts the grace of a lonely master's lease") {
  TestBox box;
  box.datapath().grant_lease(kVsd, now() + seconds{3600}, seconds{30}, 1);
  const Instant before = now();
  CHECK(box.ha_in(heartbeat(1)).verdict == XDP_PASS);
  const Instant seen = box.datapath().lease(kVsd).peer_seen;
  CHECK(seen >= before);
  CHECK(seen <= now());
  CHECK(answers_as_master(box));  // the grace is not over

  CHECK(box.ha_in(heartbeat(1)).verdict == XDP_PASS);
  CHECK(box.datapath().lease(kVsd).peer_seen == seen);  // the first one counts
  CHECK(box.counted() == Counted{{"ha_frames", 2}, {"arp_answered", 1}});
}

TEST_CASE("a lonely master whose daemon does not renew stops after the grace") {
  TestBox box;
  box.datapath().grant_lease(kVsd, now() + seconds{3600}, Duration{1}, 1);
  CHECK(answers_as_master(box));
  box.ha_in(heartbeat(1));
  CHECK_FALSE(answers_as_master(box));

  box.datapath().grant_lease(kVsd, now() + seconds{3600}, Duration{1}, 1);
  CHECK(answers_as_master(box));  // a renewal clears the stamp
}

TEST_CASE("a heartbeat does not stamp leases that were granted with a peer in sight") {
  TestBox box;
  box.become_master();
  box.ha_in(heartbeat(1));
  CHECK(box.datapath().lease(kVsd).peer_seen == Instant{});
}

TEST_CASE("a heartbeat stamps every lonely VSD, the last one too") {
  TestBox box;
  for (uint8_t vsd = 0; vsd < NSRP_MAX_VSDS; ++vsd)
    box.datapath().grant_lease(VsdId{vsd}, now() + seconds{60}, seconds{30}, 1);
  box.ha_in(heartbeat(1));
  for (uint8_t vsd = 0; vsd < NSRP_MAX_VSDS; ++vsd) CHECK(box.datapath().lease(VsdId{vsd}).peer_seen != Instant{});
}

TEST_CASE("frames of another cluster, our own echo, probes, foreign frames and stubs are no sign of a peer") {
  TestBox box;
  box.datapath().grant_lease(kVsd, now() + seconds{60}, seconds{30}, 1);
  const Bytes probe = heartbeat(1, kPeerHaMac, wire::FrameType::kProbeRequest);
  Bytes foreign = heartbeat(1), stub = heartbeat(1);
  foreign[14] ^= 1;
  stub.resize(20);
  for (const Bytes& frame : {heartbeat(2), heartbeat(1, kHaMac), probe, foreign, stub}) {
    CHECK(box.ha_in(frame).verdict == XDP_PASS);
  }
  CHECK(box.datapath().lease(kVsd).peer_seen == Instant{});
  CHECK(box.counted() == Counted{{"ha_frames", 5}});
}
