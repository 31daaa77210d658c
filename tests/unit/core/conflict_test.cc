// SPDX-License-Identifier: Apache-2.0
#include "cluster.h"

using namespace nsrp;
using namespace nsrp::sim;

TEST_CASE("after a split both are master; when they meet, the later mastership survives and announces again") {
  Pair pair;
  pair.cut_network();
  pair.world.run_for(seconds(5));
  REQUIRE(pair.roles(VsdState::kMaster, VsdState::kMaster));
  pair.world.forget_history();
  pair.world.heal_all();
  pair.world.run_for(kInterval * 2);
  CHECK(pair.roles(VsdState::kPrimaryBackup, VsdState::kMaster));
  const auto lost = pair.world.happened<Conflict>(pair.a);
  REQUIRE(lost.size() == 1);
  CHECK_FALSE(lost[0].second.survives);
  CHECK(lost[0].second.other == UnitId{0xb1});
  const auto won = pair.world.happened<Conflict>(pair.b);
  REQUIRE(won.size() == 1);
  CHECK(won[0].second.survives);
  pair.world.run_for(seconds(3));
  CHECK(pair.world.happened<Announce>(pair.b).size() >= 4);
  CHECK(pair.world.happened<Announce>(pair.a).empty());
}

TEST_CASE("the loser revokes its lease before it says anything") {
  Pair pair;
  pair.cut_network();
  pair.world.run_for(seconds(5));
  pair.world.heal_all();
  pair.world.run_until_true(seconds(1), [&] { return pair.world.state(pair.a) != VsdState::kMaster; });
  const auto order = order_of(pair.world, pair.a, pair.world.now());
  REQUIRE(order.size() >= 2);
  CHECK(order[0] == "revoke");
  CHECK(order[1] == "state");
}

TEST_CASE("equal terms: the lower priority number survives, then the higher unit id") {
  struct Case {
    uint64_t unit;
    uint8_t priority;
    bool stays;
  };
  for (const Case& other :
       {Case{0x01, 99, false}, Case{0x01, 101, true}, Case{0x01, 100, true}, Case{0xff, 100, false}}) {
    CAPTURE(other.unit);
    CAPTURE(other.priority);
    Solo solo;
    solo.world.run_for(seconds(2));
    solo.world.deliver(solo.node, kHa1, solo.heard(other.unit, VsdState::kMaster, other.priority, 1));
    CHECK((solo.state() == VsdState::kMaster) == other.stays);
  }
}

TEST_CASE("the survivor announces once more when the other one has stepped down: it may have spoken last") {
  Solo solo;
  solo.world.run_for(kHold);
  REQUIRE(solo.state() == VsdState::kMaster);
  solo.hears_for(seconds(5), solo.heard(0xa1, VsdState::kMaster, 200, 0));
  REQUIRE(solo.state() == VsdState::kMaster);
  const Heartbeat yields = solo.heard(0xa1, VsdState::kBackup, 200, 0);
  solo.world.forget_history();
  solo.world.deliver(solo.node, kHa1, yields);
  CHECK(solo.world.happened<Announce>(solo.node).size() == 1);
}
