// SPDX-License-Identifier: Apache-2.0
#include "cluster.h"

using namespace nsrp;
using namespace nsrp::sim;

TEST_CASE("a new master announces as often as set, at once and then ever more slowly") {
  MemberSettings settings = device(0xb1);
  settings.announce_count = 7;
  Solo solo(settings);
  solo.world.run_for(seconds(10));
  const auto announced = solo.world.happened<Announce>(solo.node);
  REQUIRE(announced.size() == 7);
  std::vector<int64_t> after;
  for (const auto& [at, announce] : announced) after.push_back(to_ms(at - announced[0].first));
  CHECK(after == std::vector<int64_t>{0, 100, 300, 700, 1500, 2500, 3500});
}

TEST_CASE("announcements end with the mastership") {
  Pair pair;
  pair.world.power_off(pair.a);
  pair.world.run_until_true(seconds(2), [&] { return pair.world.state(pair.b) == VsdState::kMaster; });
  pair.world.run_for(milliseconds(150));
  pair.world.deliver(pair.b, kHa1,
                     {.unit = UnitId{0xa1},
                      .boot_epoch = 9,
                      .sequence = 1,
                      .hb_interval = kInterval,
                      .vsds = {{.vsd = kVsd0, .state = VsdState::kMaster, .priority = 50, .term = 9}}});
  REQUIRE(pair.world.state(pair.b) != VsdState::kMaster);
  pair.world.run_for(milliseconds(500));
  CHECK(pair.world.happened<Announce>(pair.b).size() == 2);
}

TEST_CASE("a master announces again when a member comes back that may have been master, even if it says so no more") {
  Solo solo;
  solo.world.run_for(seconds(3));
  REQUIRE(solo.state() == VsdState::kMaster);
  const Heartbeat heard = solo.heard(0xa1, VsdState::kPrimaryBackup, 200);
  solo.world.forget_history();
  solo.world.deliver(solo.node, kHa1, heard);
  CHECK_FALSE(solo.world.happened<Announce>(solo.node).empty());
}

TEST_CASE("a master announces once more when a member that comes back hears it: until then it could not give way") {
  MemberSettings settings = device(0xb1);
  settings.announce_count = 1;
  Solo solo(settings);
  solo.world.run_for(seconds(3));
  REQUIRE(solo.state() == VsdState::kMaster);
  Heartbeat back = solo.heard(0xa1, VsdState::kInitial, 200, 0);
  back.heard = {};
  solo.world.deliver(solo.node, kHa1, back);
  solo.world.run_for(milliseconds(50));
  const Heartbeat hears = solo.heard(0xa1, VsdState::kBackup, 200), goes_on = solo.heard(0xa1, VsdState::kBackup, 200);
  solo.world.forget_history();
  solo.world.deliver(solo.node, kHa1, hears);
  solo.world.deliver(solo.node, kHa1, goes_on);
  CHECK(solo.world.happened<Announce>(solo.node).size() == 1);
}
