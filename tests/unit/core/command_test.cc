// SPDX-License-Identifier: Apache-2.0
// `exec nsrp vsd-group id N mode …`
#include "cluster.h"

using namespace nsrp;
using namespace nsrp::sim;

namespace {

std::string refusal(World& world, NodeId node, ModeCommand mode, VsdId vsd = kVsd0) {
  const Status done = world.command(node, vsd, mode);
  return done ? "" : done.error().message;
}

}  // namespace

TEST_CASE("mode master on the backup takes the VSD over from the living master") {
  Pair pair;
  pair.world.after_event = [&] { REQUIRE_FALSE((pair.world.forwards(pair.a) && pair.world.forwards(pair.b))); };
  CHECK(refusal(pair.world, pair.b, ModeCommand::kMaster).empty());
  pair.world.run_for(milliseconds(20));
  CHECK(pair.roles(VsdState::kPrimaryBackup, VsdState::kMaster));
  pair.world.run_for(seconds(5));
  CHECK(pair.roles(VsdState::kPrimaryBackup, VsdState::kMaster));
}

TEST_CASE("mode master is refused while run-time objects are missing") {
  MemberSettings first = device(0xa1, 50), second = device(0xb1, 100);
  first.sync_required = second.sync_required = true;
  Pair pair(first, second);
  CHECK(contains(refusal(pair.world, pair.b, ModeCommand::kMaster), "run-time objects"));
  pair.world.set_in_sync(pair.b, true);
  CHECK(refusal(pair.world, pair.b, ModeCommand::kMaster).empty());
  pair.world.run_for(milliseconds(20));
  CHECK(pair.world.state(pair.b) == VsdState::kMaster);
}

TEST_CASE("mode backup on the master hands over") {
  Pair pair;
  CHECK(refusal(pair.world, pair.a, ModeCommand::kBackup).empty());
  pair.world.run_for(milliseconds(20));
  CHECK(pair.roles(VsdState::kPrimaryBackup, VsdState::kMaster));
}

TEST_CASE("the last device that is able to be master keeps the VSD") {
  Solo solo;
  solo.world.run_for(seconds(2));
  for (ModeCommand mode : {ModeCommand::kBackup, ModeCommand::kInitial, ModeCommand::kIneligible}) {
    CHECK(contains(refusal(solo.world, solo.node, mode), "no other member is able to be master of VSD group 0"));
  }
  CHECK(solo.state() == VsdState::kMaster);
}

TEST_CASE("mode ineligible: the master hands over, never stands again, and comes back through initial") {
  Pair pair;
  CHECK(refusal(pair.world, pair.a, ModeCommand::kIneligible).empty());
  pair.world.run_for(milliseconds(20));
  CHECK(pair.roles(VsdState::kIneligible, VsdState::kMaster));
  pair.world.power_off(pair.b);
  pair.world.run_for(seconds(5));
  CHECK(pair.world.state(pair.a) == VsdState::kIneligible);
  CHECK(refusal(pair.world, pair.a, ModeCommand::kBackup).empty());
  CHECK(pair.world.state(pair.a) == VsdState::kInitial);
  pair.world.run_for(kHold);
  CHECK(pair.world.state(pair.a) == VsdState::kMaster);
}

TEST_CASE("mode master on an ineligible member: initial first, then it asks for the VSD") {
  Pair pair;
  CHECK(refusal(pair.world, pair.b, ModeCommand::kIneligible).empty());
  CHECK(refusal(pair.world, pair.b, ModeCommand::kMaster).empty());
  CHECK(pair.world.state(pair.b) == VsdState::kInitial);
  pair.world.run_for(kHold + milliseconds(20));
  CHECK(pair.roles(VsdState::kPrimaryBackup, VsdState::kMaster));
}

TEST_CASE("mode init: a backup starts over, a master hands over first") {
  Pair pair;
  CHECK(refusal(pair.world, pair.b, ModeCommand::kInitial).empty());
  CHECK(pair.world.state(pair.b) == VsdState::kInitial);
  pair.world.run_for(kHold + milliseconds(1));
  CHECK(pair.world.state(pair.b) == VsdState::kPrimaryBackup);
  CHECK(refusal(pair.world, pair.a, ModeCommand::kInitial).empty());
  pair.world.run_for(milliseconds(20));
  CHECK(pair.roles(VsdState::kInitial, VsdState::kMaster));
  pair.world.run_for(kHold);
  CHECK(pair.roles(VsdState::kPrimaryBackup, VsdState::kMaster));
}

TEST_CASE("mode pb moves the role to the commanded backup") {
  World world;
  const NodeId a = world.add(device(0xa1, 50)), b = world.add(device(0xb1, 100)), c = world.add(device(0xc1, 150));
  for (NodeId id : {a, b, c}) world.start(id);
  world.run_for(seconds(3));
  REQUIRE(world.state(c) == VsdState::kBackup);
  CHECK(refusal(world, c, ModeCommand::kPrimaryBackup).empty());
  world.run_for(seconds(3));
  CHECK(world.state(c) == VsdState::kPrimaryBackup);
  CHECK(world.state(b) == VsdState::kBackup);
  CHECK(contains(refusal(world, a, ModeCommand::kPrimaryBackup), "only a backup"));
}

TEST_CASE("commands that make no sense are refused with a sentence and change nothing") {
  Pair pair;
  CHECK(contains(refusal(pair.world, pair.a, ModeCommand::kMaster, VsdId{7}), "VSD group 7 does not exist"));
  pair.world.set_health(pair.b, false);
  pair.world.run_for(milliseconds(2));
  CHECK(contains(refusal(pair.world, pair.b, ModeCommand::kMaster), "a monitor failed"));
  CHECK(contains(refusal(pair.world, pair.a, ModeCommand::kBackup), "no other member"));
  CHECK(pair.roles(VsdState::kMaster, VsdState::kInoperable));
}

TEST_CASE("a member configured as ineligible hands its VSD over, stays out, and comes back through initial") {
  Pair pair;
  MemberSettings settings = device(0xa1, 50);
  settings.vsds[0].ineligible = true;
  pair.world.set_settings(pair.a, settings);
  pair.world.run_for(seconds(1));
  CHECK(pair.roles(VsdState::kIneligible, VsdState::kMaster));
  pair.world.power_off(pair.a);
  pair.world.start(pair.a);
  pair.world.run_for(seconds(3));
  CHECK(pair.roles(VsdState::kIneligible, VsdState::kMaster));
  settings.vsds[0].ineligible = false;
  pair.world.set_settings(pair.a, settings);
  CHECK(pair.world.state(pair.a) == VsdState::kInitial);
  pair.world.run_for(seconds(3));
  CHECK(pair.roles(VsdState::kPrimaryBackup, VsdState::kMaster));
}

TEST_CASE("the last member able to be master keeps mastering though it is configured as ineligible") {
  Solo solo;
  solo.world.run_for(seconds(3));
  REQUIRE(solo.state() == VsdState::kMaster);
  MemberSettings settings = device(0xb1);
  settings.vsds[0].ineligible = true;
  solo.world.set_settings(solo.node, settings);
  solo.world.run_for(seconds(3));
  CHECK(solo.state() == VsdState::kMaster);
}

TEST_CASE("the operator's word goes before the configured ineligibility until the next start") {
  MemberSettings settings = device(0xb1);
  settings.vsds[0].ineligible = true;
  Solo solo(settings);
  solo.world.run_for(seconds(3));
  REQUIRE(solo.state() == VsdState::kIneligible);
  REQUIRE(solo.world.command(solo.node, kVsd0, ModeCommand::kBackup).has_value());
  solo.world.run_for(seconds(3));
  CHECK(solo.state() == VsdState::kMaster);
}

TEST_CASE("a cluster-wide clear reaches the living members once, also when the first heartbeats that say it are lost") {
  Pair pair;
  pair.world.cut_all(pair.a, pair.b);
  pair.world.call(pair.a, [](Member& m, Instant now) { return m.on_clear_command(now); });
  pair.world.run_for(kInterval * 2);
  CHECK(pair.world.happened<ClearCounters>(pair.b).empty());
  pair.world.heal_all();
  pair.world.run_for(seconds(2));
  REQUIRE(pair.world.happened<ClearCounters>(pair.b).size() == 1);
  CHECK(pair.world.happened<ClearCounters>(pair.b)[0].second.said_to == UnitId{0xa1});
  CHECK(pair.world.happened<ClearCounters>(pair.a).empty());
  pair.world.call(pair.b, [](Member& m, Instant now) { return m.on_clear_command(now); });
  pair.world.run_for(kInterval);
  CHECK(pair.world.happened<ClearCounters>(pair.a).size() == 1);
}

TEST_CASE("what was cleared before a member came, or while it was away, does not clear its counters") {
  Pair pair;
  const auto clear = [](Member& m, Instant now) { return m.on_clear_command(now); };
  pair.world.power_off(pair.b);
  pair.world.run_for(kSilence * 2);
  pair.world.call(pair.a, clear);
  pair.world.run_for(kInterval);
  pair.world.start(pair.b);
  pair.world.run_for(seconds(3));
  CHECK(pair.world.happened<ClearCounters>(pair.b).empty());
  pair.world.call(pair.b, clear);
  pair.world.run_for(kInterval);
  CHECK(pair.world.happened<ClearCounters>(pair.a).size() == 1);
}
