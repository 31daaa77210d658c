// SPDX-License-Identifier: Apache-2.0
// Manual ch. 1, "Virtual Security Device Groups" and "VSD Group Member States".
#include "cluster.h"

using namespace nsrp;
using namespace nsrp::sim;

TEST_CASE("a member stays initial for its whole hold time, then masters a VSD nobody has") {
  Solo solo;
  solo.world.run_for(kHold - milliseconds(1));
  CHECK(solo.state() == VsdState::kInitial);
  solo.world.run_for(milliseconds(1));
  CHECK(solo.state() == VsdState::kMaster);
  CHECK(solo.world.term(solo.node) == 1);
  CHECK(contains(solo.world.cause(solo.node), "initial hold is over"));
}

TEST_CASE("the initial hold is never shorter than the silence that proves a master dead") {
  MemberSettings settings = device(0xb1);
  settings.hb_threshold = 9;
  Solo solo(settings);
  solo.world.run_for(kInterval * 9 - milliseconds(1));
  CHECK(solo.state() == VsdState::kInitial);
  solo.world.run_for(milliseconds(1));
  CHECK(solo.state() == VsdState::kMaster);
}

TEST_CASE("of two members that start together the lower priority number becomes master, whoever holds out first") {
  for (const Duration head_start : {Duration(0), Duration(milliseconds(300)), Duration(milliseconds(-300))}) {
    World world;
    const NodeId a = world.add(device(0xa1, 50));
    const NodeId b = world.add(device(0xb1, 100));
    world.start(head_start.count() >= 0 ? a : b);
    world.run_for(std::max(head_start, -head_start));
    world.start(head_start.count() >= 0 ? b : a);
    world.run_for(seconds(2));
    CHECK(world.state(a) == VsdState::kMaster);
    CHECK(world.state(b) == VsdState::kPrimaryBackup);
    CHECK(world.happened<Conflict>(a).empty());
  }
}

TEST_CASE("with equal priorities the higher unit id becomes master") {
  Pair pair(device(0xa1, 100), device(0xb1, 100));
  CHECK(pair.roles(VsdState::kPrimaryBackup, VsdState::kMaster));
}

TEST_CASE("a member that joins later becomes primary backup of the running master, even with a better priority") {
  World world;
  const NodeId b = world.add(device(0xb1, 100));
  const NodeId a = world.add(device(0xa1, 50));
  world.start(b);
  world.run_for(seconds(2));
  world.start(a);
  world.run_for(kHold - milliseconds(1));
  CHECK(world.state(a) == VsdState::kInitial);
  world.run_for(milliseconds(1));
  CHECK(world.state(a) == VsdState::kPrimaryBackup);
  world.run_for(seconds(5));
  CHECK(world.state(b) == VsdState::kMaster);
}

TEST_CASE("a backup masters the VSD when the master was silent for threshold x interval, and says why") {
  Pair pair;
  pair.world.power_off(pair.a);
  const Instant died = pair.world.now();
  REQUIRE(pair.world.run_until_true(seconds(2), [&] { return pair.world.state(pair.b) == VsdState::kMaster; }));
  CHECK(pair.world.now() - died <= kSilence + milliseconds(1));
  CHECK(pair.world.now() - died >= kSilence - kInterval);
  CHECK(pair.world.cause(pair.b) ==
        "no heartbeat of 0000000000a1 for 600 ms on ha1, ha2; no other member is able to be master");
  CHECK(pair.world.term(pair.b) == 2);
  CHECK(pair.world.happened<PeerLost>(pair.b).size() == 1);
}

TEST_CASE("a master that restarts without a lease loses the VSD at once") {
  Pair pair;
  pair.world.power_off(pair.a);
  pair.world.run_for(milliseconds(50));
  pair.world.start(pair.a);
  pair.world.run_for(milliseconds(2));
  CHECK(pair.roles(VsdState::kInitial, VsdState::kMaster));
  CHECK(contains(pair.world.cause(pair.b), "is initial now"));
}

TEST_CASE("of three members one is master, one primary backup, one backup") {
  World world;
  const NodeId a = world.add(device(0xa1, 50)), b = world.add(device(0xb1, 100)), c = world.add(device(0xc1, 150));
  for (NodeId id : {a, b, c}) world.start(id);
  world.run_for(seconds(3));
  CHECK(world.state(a) == VsdState::kMaster);
  CHECK(world.state(b) == VsdState::kPrimaryBackup);
  CHECK(world.state(c) == VsdState::kBackup);

  SUBCASE("the primary backup succeeds the master and the backup moves up") {
    world.power_off(a);
    world.run_for(seconds(2));
    CHECK(world.state(b) == VsdState::kMaster);
    CHECK(world.state(c) == VsdState::kPrimaryBackup);
  }
  SUBCASE("the backup moves up when the primary backup dies") {
    world.power_off(b);
    world.run_for(seconds(2));
    CHECK(world.state(c) == VsdState::kPrimaryBackup);
  }
  SUBCASE("both others die at once and the last one masters") {
    world.power_off(a);
    world.power_off(b);
    world.run_for(seconds(4));
    CHECK(world.state(c) == VsdState::kMaster);
  }
  SUBCASE("a better one that comes back does not push the primary backup aside") {
    world.power_off(b);
    world.run_for(seconds(2));
    world.start(b);
    world.run_for(seconds(2));
    CHECK(world.state(c) == VsdState::kPrimaryBackup);
    CHECK(world.state(b) == VsdState::kBackup);
  }
  SUBCASE("the master's RTO peer has precedence over any better priority") {
    world.call(c, [](Member& m, Instant now) { return m.on_sync(now, true, UnitId{0xa1}); });
    world.run_for(seconds(1));
    CHECK(world.state(c) == VsdState::kPrimaryBackup);
    CHECK(world.state(b) == VsdState::kBackup);
    world.power_off(a);
    world.run_for(seconds(2));
    CHECK(world.state(c) == VsdState::kMaster);
  }
}

TEST_CASE("who holds the run-time objects is elected before a better priority") {
  MemberSettings settings = device(0xb1, 200);
  settings.sync_required = true;
  Solo solo(settings);
  solo.world.set_in_sync(solo.node, true);
  Heartbeat other = solo.heard(0xc1, VsdState::kInitial, 10);
  other.vsds[0].in_sync = false;
  solo.hears_for(kHold, other);
  CHECK(solo.state() == VsdState::kMaster);
}

TEST_CASE("when nobody holds the run-time objects the priority decides") {
  MemberSettings first = device(0xa1, 50), second = device(0xb1, 100);
  first.sync_required = second.sync_required = true;
  Pair pair(first, second);
  CHECK(pair.roles(VsdState::kMaster, VsdState::kPrimaryBackup));
}

TEST_CASE("a better candidate that never becomes master does not keep the VSD without one") {
  Solo solo;
  const Heartbeat idle = solo.heard(0xc1, VsdState::kBackup, 10);
  solo.hears_for(kHold + milliseconds(10), idle);
  CHECK(solo.state() == VsdState::kBackup);
  solo.hears_for(kSilence * 2 + kInterval * 2 + kHold, idle);
  CHECK(solo.state() == VsdState::kMaster);
}

TEST_CASE("each VSD group has its own master") {
  MemberSettings first = device(0xa1, 50), second = device(0xb1, 100);
  first.vsds.push_back({.id = kVsd1, .priority = 100});
  second.vsds.push_back({.id = kVsd1, .priority = 50});
  Pair pair(first, second);
  CHECK(pair.roles(VsdState::kMaster, VsdState::kPrimaryBackup));
  CHECK(pair.world.state(pair.a, kVsd1) == VsdState::kPrimaryBackup);
  CHECK(pair.world.state(pair.b, kVsd1) == VsdState::kMaster);
}
