// SPDX-License-Identifier: Apache-2.0
// Ports of the transparent device: closed in both directions but for the master of VSD 0.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "namespaces.h"
#include "test_box.h"

using namespace nsrp;
using namespace nsrp::test;

namespace {

constexpr bool kForwarded = true, kLocal = false;

Bytes frame_to(std::string_view destination) {
  return PacketBuilder().ethernet(kClientMac, destination).ipv4("10.1.1.9", "10.1.1.8").udp(4000, 53).build();
}

std::vector<Bytes> frames() {
  std::vector<Bytes> list = {
      frame_to("00:0c:00:00:00:98"),
      frame_to(kBroadcast),
      frame_to("33:33:00:00:00:01"),
      frame_to("01:80:c2:00:00:00"),  // spanning tree
      frame_to("01:80:c2:00:00:10"),
      frame_to(kOwnMac),
      PacketBuilder().ethernet(kClientMac, kBroadcast).arp_request(kClientMac, "10.1.1.9", "10.1.1.8").build(),
      PacketBuilder().ethernet(kClientMac, kVmac).vlan(7).ipv4("10.1.1.9", "10.1.1.8").tcp(4000, 80).build()};
  std::mt19937 random(7);
  for (size_t size = 14; size < 120; ++size) {
    Bytes noise(size);
    for (uint8_t& byte : noise) byte = static_cast<uint8_t>(random());
    list.push_back(std::move(noise));
  }
  return list;
}

void check_closed(TestBox& box) {
  for (const Bytes& frame : frames()) {
    CHECK(box.port_in(frame).verdict == XDP_DROP);
    CHECK(box.counted() == Counted{{"port_drop_not_master", 1}});
    for (const bool how : {kForwarded, kLocal}) {
      CHECK(box.port_out(frame, how).verdict == TC_ACT_SHOT);
      CHECK(box.counted() == Counted{{"port_tx_drop_not_master", 1}});
    }
  }
}

void check_open(TestBox& box) {
  for (const Bytes& frame : frames()) {
    const Outcome in = box.port_in(frame);
    CHECK(in.verdict == XDP_PASS);
    CHECK(in.frame == frame);
    for (const bool how : {kForwarded, kLocal}) {
      const Outcome out = box.port_out(frame, how);
      CHECK(out.verdict == TC_ACT_UNSPEC);
      CHECK(out.frame == frame);
    }
  }
  CHECK(box.counted().empty());
}

}  // namespace

TEST_CASE("ports are closed before any election, and whenever the lease of VSD 0 has ended or was revoked") {
  TestBox box;
  check_closed(box);
  box.become_master();
  check_open(box);
  box.datapath().revoke_lease(VsdId{0}, now() + seconds{60});  // nothing drains: the other one passes frames now
  check_closed(box);
  box.datapath().grant_lease(VsdId{0}, now() - milliseconds{1}, Duration{}, 7);  // a daemon that died
  check_closed(box);
}

TEST_CASE("the lease of another VSD opens no port") {
  TestBox box;
  box.add_second_vsd();
  box.become_master(VsdId{1});
  check_closed(box);
}

TEST_CASE("what is between the box and the other end of the cable passes on a backup too, and is never forwarded") {
  TestBox box;
  for (const std::string_view destination : {"01:80:c2:00:00:01", "01:80:c2:00:00:02", "01:80:c2:00:00:0f"}) {
    CHECK(box.port_in(frame_to(destination)).verdict == XDP_PASS);
    CHECK(box.port_out(frame_to(destination), kLocal).verdict == TC_ACT_UNSPEC);
    CHECK(box.counted().empty());
    CHECK(box.port_out(frame_to(destination), kForwarded).verdict == TC_ACT_SHOT);
    CHECK(box.counted() == Counted{{"port_tx_drop_not_master", 1}});
  }
}

TEST_CASE("a port's programs are attached, found by a later run, and detached") {
  TestBox box;
  kernel::Datapath& datapath = box.datapath();
  const auto attached = [&] { return std::ranges::count(datapath.attached(), box.traffic()); };
  REQUIRE(datapath.attach_port(box.traffic()));
  CHECK(attached() == 1);
  CHECK(output_of("tc filter show dev traffic0 egress").find("nsrp_port_out") != std::string::npos);
  REQUIRE(datapath.detach(box.traffic()));
  CHECK(attached() == 0);
  CHECK(output_of("tc qdisc show dev traffic0").find("clsact") == std::string::npos);
}
