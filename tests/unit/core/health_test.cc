// SPDX-License-Identifier: Apache-2.0
// Manual ch. 3, "Device Failover".
#include "cluster.h"

using namespace nsrp;
using namespace nsrp::sim;

TEST_CASE("an inoperable master gives the VSD up at once, without a barrier") {
  Pair pair;
  pair.world.barrier = [](NodeId) { return std::nullopt; };
  pair.world.set_health(pair.a, false);
  CHECK(pair.world.state(pair.a) == VsdState::kInoperable);
  CHECK_FALSE(pair.world.forwards(pair.a));
  CHECK(pair.world.cause(pair.a) == "a monitor failed");
  pair.world.run_for(milliseconds(2));
  CHECK(pair.world.state(pair.b) == VsdState::kMaster);
}

TEST_CASE("an inoperable member that recovers passes through initial and becomes backup") {
  Pair pair;
  pair.world.set_health(pair.a, false);
  pair.world.run_for(seconds(1));
  pair.world.set_health(pair.a, true);
  CHECK(pair.world.state(pair.a) == VsdState::kInitial);
  pair.world.run_for(kHold);
  CHECK(pair.roles(VsdState::kPrimaryBackup, VsdState::kMaster));
}

TEST_CASE("with preempt and the better priority it becomes master again") {
  Pair pair(device(0xa1, 50, true), device(0xb1, 100));
  pair.world.set_health(pair.a, false);
  pair.world.run_for(seconds(1));
  pair.world.set_health(pair.a, true);
  pair.world.run_for(kHold + milliseconds(20));
  CHECK(pair.roles(VsdState::kMaster, VsdState::kPrimaryBackup));
}

TEST_CASE("a failure of one VSD group leaves the others alone") {
  MemberSettings first = device(0xa1, 50), second = device(0xb1, 100);
  first.vsds.push_back({.id = kVsd1, .priority = 50});
  second.vsds.push_back({.id = kVsd1, .priority = 100});
  Pair pair(first, second);
  pair.world.call(pair.a, [](Member& m, Instant now) { return m.on_health(now, kVsd1, false, "track-ip failed"); });
  pair.world.run_for(milliseconds(2));
  CHECK(pair.world.state(pair.a, kVsd1) == VsdState::kInoperable);
  CHECK(pair.world.state(pair.b, kVsd1) == VsdState::kMaster);
  CHECK(pair.world.state(pair.a) == VsdState::kMaster);
}

TEST_CASE("both members inoperable: nobody masters") {
  Pair pair;
  pair.world.set_health(pair.a, false);
  pair.world.set_health(pair.b, false);
  pair.world.run_for(seconds(5));
  CHECK(pair.roles(VsdState::kInoperable, VsdState::kInoperable));
}

TEST_CASE("master-always-exist: when all are inoperable the last master goes on") {
  MemberSettings first = device(0xa1, 50), second = device(0xb1, 100);
  first.master_always_exist = second.master_always_exist = true;
  Pair pair(first, second);
  pair.world.set_health(pair.b, false);
  pair.world.run_for(seconds(1));
  pair.world.set_health(pair.a, false);
  pair.world.run_for(seconds(3));
  CHECK(pair.roles(VsdState::kMaster, VsdState::kInoperable));

  SUBCASE("and hands over as soon as the other is operable again") {
    pair.world.set_health(pair.b, true);
    pair.world.run_for(kHold + milliseconds(20));
    CHECK(pair.roles(VsdState::kInoperable, VsdState::kMaster));
  }
  SUBCASE("and stays when it recovers itself") {
    pair.world.set_health(pair.a, true);
    pair.world.run_for(seconds(2));
    CHECK(pair.roles(VsdState::kMaster, VsdState::kInoperable));
  }
}

TEST_CASE("master-always-exist: of inoperable members without a master the better priority takes it") {
  MemberSettings first = device(0xa1, 50), second = device(0xb1, 100);
  first.master_always_exist = second.master_always_exist = true;
  World world;
  const NodeId a = world.add(first), b = world.add(second);
  world.set_health(a, false);
  world.set_health(b, false);
  world.start(a);
  world.start(b);
  CHECK(world.state(a) == VsdState::kInoperable);
  world.run_for(kHold - milliseconds(1));
  CHECK(world.state(a) == VsdState::kInoperable);
  world.run_for(milliseconds(200));
  CHECK(world.state(a) == VsdState::kMaster);
  CHECK(world.state(b) == VsdState::kInoperable);
}
