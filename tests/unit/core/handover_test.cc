// SPDX-License-Identifier: Apache-2.0
// Manual ch. 1, "Preempt Option"; planned switches in general.
#include "cluster.h"

using namespace nsrp;
using namespace nsrp::sim;
using Words = std::vector<std::string>;

namespace {

// b masters, a comes later with the better priority.
struct FailBack {
  explicit FailBack(MemberSettings late) {
    b = world.add(device(0xb1, 100));
    a = world.add(std::move(late));
    world.start(b);
    world.run_for(seconds(2));
    world.start(a);
  }
  World world;
  NodeId a, b;
};

}  // namespace

TEST_CASE("a better priority with preempt takes the VSD over, by a barrier and without two masters") {
  FailBack test(device(0xa1, 50, true));
  test.world.after_event = [&] { REQUIRE_FALSE((test.world.forwards(test.a) && test.world.forwards(test.b))); };
  test.world.run_for(kHold + milliseconds(20));
  CHECK(test.world.state(test.a) == VsdState::kMaster);
  CHECK(test.world.state(test.b) == VsdState::kPrimaryBackup);
  CHECK(test.world.term(test.a) == 2);
  CHECK(test.world.happened<StartBarrier>(test.b).size() == 1);
  CHECK(contains(test.world.cause(test.a), "handed to this device"));
}

TEST_CASE("the master gives the VSD up in this order: revoke, say so, heartbeat that names the successor") {
  FailBack test(device(0xa1, 50, true));
  test.world.run_until_true(seconds(3), [&] { return test.world.state(test.b) != VsdState::kMaster; });
  CHECK(order_of(test.world, test.b, test.world.now()) == Words{"revoke", "state", "heartbeat"});
  const auto said = test.world.happened<SendHeartbeat>(test.b).back().second.heartbeat;
  CHECK(said.vsds[0].handed_to == UnitId{0xa1});
  CHECK(said.vsds[0].state == VsdState::kBackup);
}

TEST_CASE("a planned switch has no moment in which nobody takes packets, and none in which two do") {
  for (const bool stops : {false, true}) {
    CAPTURE(stops);
    Pair pair;
    bool taken = true;
    pair.world.after_event = [&] { taken &= pair.world.forwards(pair.a) != pair.world.forwards(pair.b); };
    if (stops) {
      pair.world.leave(pair.a);
    } else {
      REQUIRE(pair.world.command(pair.a, kVsd0, ModeCommand::kBackup));
    }
    pair.world.run_for(seconds(2));
    CHECK(pair.world.state(pair.b) == VsdState::kMaster);
    CHECK(taken);
  }
}

TEST_CASE("the master asks its successor to be ready, and releases the VSD when it is") {
  Pair pair;
  pair.world.barrier = [](NodeId) { return milliseconds(0); };
  REQUIRE(pair.world.command(pair.a, kVsd0, ModeCommand::kBackup));
  CHECK(pair.world.happened<SendHeartbeat>(pair.a).back().second.heartbeat.vsds[0].handing_to == UnitId{0xb1});
  CHECK(pair.world.state(pair.a) == VsdState::kMaster);
  pair.world.run_until_true(seconds(1), [&] { return !pair.world.happened<Succeed>(pair.b).empty(); });
  const Succeed succeeds = pair.world.happened<Succeed>(pair.b).front().second;
  CHECK(succeeds.from == UnitId{0xa1});
  CHECK(succeeds.until == pair.world.now_at(pair.b) + kLease);
  CHECK(pair.world.happened<SendHeartbeat>(pair.b).back().second.heartbeat.vsds[0].ready);
  CHECK(pair.world.state(pair.a) == VsdState::kMaster);
  pair.world.run_for(milliseconds(2));
  CHECK(pair.roles(VsdState::kPrimaryBackup, VsdState::kMaster));
  const auto revoked = pair.world.happened<RevokeLease>(pair.a);
  REQUIRE(revoked.size() == 1);
  CHECK(revoked[0].second.drain == Member::kDrain);
}

TEST_CASE("the word that the VSD is released may be lost: the successor's data path needs only a packet") {
  Pair pair;
  pair.world.barrier = [](NodeId) { return milliseconds(20); };
  REQUIRE(pair.world.command(pair.a, kVsd0, ModeCommand::kBackup));
  pair.world.run_for(milliseconds(10));
  pair.world.cut_all(pair.a, pair.b);
  pair.world.run_for(milliseconds(11));
  CHECK(pair.world.state(pair.a) != VsdState::kMaster);
  CHECK(pair.world.state(pair.b) != VsdState::kMaster);
  CHECK(pair.world.took_over(pair.b));
  pair.world.after_event = [&] { REQUIRE_FALSE((pair.world.forwards(pair.a) && pair.world.forwards(pair.b))); };
  pair.world.run_for(kLease - milliseconds(15));
  CHECK_FALSE(pair.world.took_over(pair.b));
  pair.world.run_for(kSilence);
  CHECK(pair.world.state(pair.b) == VsdState::kMaster);
}

TEST_CASE("when the master dies on its way out the successor's data path goes on") {
  Pair pair;
  pair.world.barrier = [](NodeId) { return milliseconds(20); };
  REQUIRE(pair.world.command(pair.a, kVsd0, ModeCommand::kBackup));
  pair.world.run_until_true(seconds(1), [&] { return pair.world.state(pair.a) != VsdState::kMaster; });
  pair.world.kill(pair.a);
  CHECK(pair.world.took_over(pair.b));
}

TEST_CASE("a handover that is called off ends the successor's readiness") {
  FailBack test(device(0xa1, 50, true));
  test.world.barrier = [](NodeId) { return milliseconds(900); };
  test.world.run_until_true(seconds(3), [&] { return !test.world.happened<Succeed>(test.a).empty(); });
  MemberSettings modest = test.world.settings(test.a);
  modest.vsds[0].preempt = false;
  test.world.set_settings(test.a, modest);
  test.world.run_for(kInterval);
  CHECK(test.world.state(test.b) == VsdState::kMaster);
  CHECK(test.world.happened<Succeed>(test.a).back().second.from == UnitId{});
  CHECK_FALSE(test.world.happened<SendHeartbeat>(test.a).back().second.heartbeat.vsds[0].ready);
  CHECK(test.world.happened<HandoverGivenUp>(test.b).size() == 1);
}

TEST_CASE("a successor that does not answer is handed nothing, and the operator learns why") {
  Solo solo(device(0xb1, 50));
  const Heartbeat silent = solo.heard(0xa1, VsdState::kBackup, 100, 0);
  solo.hears_for(seconds(3), silent);
  REQUIRE(solo.state() == VsdState::kMaster);
  REQUIRE(solo.world.command(solo.node, kVsd0, ModeCommand::kBackup));
  solo.hears_for(Member::kHandoverLimit + milliseconds(100), silent);
  CHECK(solo.state() == VsdState::kMaster);
  const auto kept = solo.world.happened<HandoverGivenUp>(solo.node);
  REQUIRE(kept.size() == 1);
  CHECK(contains(kept[0].second.cause, "does not answer"));
  CHECK(solo.said().vsds[0].handing_to == UnitId{});
}

TEST_CASE("a device that stops hands over to a successor that does not answer, too") {
  Solo solo(device(0xb1, 50));
  const Heartbeat silent = solo.heard(0xa1, VsdState::kBackup, 100, 0);
  solo.hears_for(seconds(3), silent);
  REQUIRE(solo.state() == VsdState::kMaster);
  solo.world.leave(solo.node);
  solo.hears_for(Member::kHandoverLimit + milliseconds(100), silent);
  CHECK(solo.said().vsds[0].handed_to == UnitId{0xa1});
  CHECK(contains(solo.world.happened<StateChanged>(solo.node).back().second.cause, "not answered"));
}

TEST_CASE("with a third member alive a packet proves nothing: the switch waits for the heartbeat") {
  World world;
  std::vector<NodeId> nodes;
  for (const auto& [unit, priority] : {std::pair(0xa1, 50), std::pair(0xb1, 80), std::pair(0xc1, 100)}) {
    nodes.push_back(world.add(device(static_cast<uint64_t>(unit), static_cast<uint8_t>(priority))));
    world.start(nodes.back());
  }
  world.run_for(seconds(3));
  REQUIRE(world.command(nodes[0], kVsd0, ModeCommand::kBackup));
  world.run_for(milliseconds(100));
  CHECK(world.state(nodes[1]) == VsdState::kMaster);
  for (const NodeId node : nodes) CHECK(world.happened<Succeed>(node).empty());
}

TEST_CASE("preemption waits for the hold-down time") {
  FailBack test(device(0xa1, 50, true, seconds(3)));
  test.world.run_for(kHold + seconds(3) - milliseconds(1));
  CHECK(test.world.state(test.b) == VsdState::kMaster);
  test.world.run_for(milliseconds(20));
  CHECK(test.world.state(test.a) == VsdState::kMaster);
}

TEST_CASE("without preempt a better priority waits for a failure") {
  FailBack test(device(0xa1, 50, false));
  test.world.run_for(seconds(10));
  CHECK(test.world.state(test.b) == VsdState::kMaster);
}

TEST_CASE("an equal priority never preempts, not even with the higher unit id") {
  FailBack test(device(0xff, 100, true));
  test.world.run_for(seconds(10));
  CHECK(test.world.state(test.b) == VsdState::kMaster);
}

TEST_CASE("a member that is not in sync does not preempt; its hold-down starts when it is") {
  MemberSettings late = device(0xa1, 50, true, seconds(1));
  late.sync_required = true;
  FailBack test(late);
  test.world.run_for(seconds(10));
  CHECK(test.world.state(test.b) == VsdState::kMaster);
  test.world.set_in_sync(test.a, true);
  test.world.run_for(milliseconds(990));
  CHECK(test.world.state(test.b) == VsdState::kMaster);
  test.world.run_for(milliseconds(30));
  CHECK(test.world.state(test.a) == VsdState::kMaster);
}

TEST_CASE("a barrier that does not end delays the switch by its limit, no longer") {
  FailBack test(device(0xa1, 50, true));
  test.world.barrier = [](NodeId) { return std::nullopt; };
  test.world.run_for(kHold + Member::kHandoverLimit - milliseconds(1));
  CHECK(test.world.state(test.b) == VsdState::kMaster);
  test.world.run_for(milliseconds(20));
  CHECK(test.world.state(test.a) == VsdState::kMaster);
}

TEST_CASE("the master keeps the VSD when who asked for it dies during the barrier") {
  FailBack test(device(0xa1, 50, true));
  test.world.barrier = [](NodeId) { return milliseconds(900); };
  test.world.run_until_true(seconds(3), [&] { return !test.world.happened<StartBarrier>(test.b).empty(); });
  test.world.power_off(test.a);
  test.world.run_for(seconds(3));
  CHECK(test.world.state(test.b) == VsdState::kMaster);
  CHECK(test.world.happened<RevokeLease>(test.b).empty());
}

TEST_CASE("the heartbeat that names the successor may be lost") {
  FailBack test(device(0xa1, 50, true));
  test.world.run_until_true(seconds(3), [&] { return !test.world.happened<StartBarrier>(test.b).empty(); });
  test.world.cut_all(test.b, test.a);
  test.world.run_until_true(seconds(3), [&] { return test.world.state(test.b) != VsdState::kMaster; });
  test.world.run_for(milliseconds(10));
  test.world.heal_all();
  test.world.run_for(kInterval);
  CHECK(test.world.state(test.a) == VsdState::kMaster);
}

TEST_CASE("a successor that dies before it takes over gives the VSD back") {
  FailBack test(device(0xa1, 50, true));
  test.world.run_until_true(seconds(3), [&] { return !test.world.happened<StartBarrier>(test.b).empty(); });
  test.world.power_off(test.a);
  test.world.run_for(kSilence * 2);
  CHECK(test.world.state(test.b) == VsdState::kMaster);
}

TEST_CASE("an orderly stop hands every VSD over before the last heartbeat, and the peer is master at once") {
  MemberSettings first = device(0xa1, 50), second = device(0xb1, 100);
  first.vsds.push_back({.id = kVsd1, .priority = 50});
  second.vsds.push_back({.id = kVsd1, .priority = 100});
  Pair pair(first, second);
  pair.world.after_event = [&] { REQUIRE_FALSE((pair.world.forwards(pair.a) && pair.world.forwards(pair.b))); };
  pair.world.barrier = [](NodeId) { return milliseconds(40); };
  const Instant asked = pair.world.now();
  pair.world.leave(pair.a);
  CHECK(order_of(pair.world, pair.a, asked) == Words{"barrier", "barrier", "heartbeat"});
  pair.world.run_for(milliseconds(45));
  CHECK(pair.world.state(pair.b) == VsdState::kMaster);
  CHECK(pair.world.state(pair.b, kVsd1) == VsdState::kMaster);
  CHECK(pair.world.happened<MayExit>(pair.a).size() == 1);
  CHECK(pair.world.happened<SendHeartbeat>(pair.a).back().second.heartbeat.leaving);
  const auto lost = pair.world.happened<PeerLost>(pair.b);
  REQUIRE(lost.size() == 1);
  CHECK(contains(lost[0].second.evidence, "left in order"));
}

TEST_CASE("an orderly stop of the only member revokes, says goodbye and exits in one step") {
  Solo solo;
  solo.world.run_for(milliseconds(2050));
  const Instant asked = solo.world.now();
  solo.world.leave(solo.node);
  CHECK(order_of(solo.world, solo.node, asked) == Words{"revoke", "state", "heartbeat", "exit"});
}

TEST_CASE("an orderly stop of a backup changes nothing for the master") {
  Pair pair;
  pair.world.leave(pair.b);
  pair.world.run_for(seconds(2));
  CHECK(pair.world.happened<MayExit>(pair.b).size() == 1);
  CHECK(pair.world.happened<StateChanged>(pair.a).empty());
  CHECK(pair.world.state(pair.a) == VsdState::kMaster);
}

TEST_CASE("an orderly stop ends within the limit even if no barrier does") {
  Pair pair;
  pair.world.barrier = [](NodeId) { return std::nullopt; };
  pair.world.leave(pair.a);
  pair.world.run_for(Member::kHandoverLimit + milliseconds(2));
  CHECK_FALSE(pair.world.up(pair.a));
  CHECK(pair.world.state(pair.b) == VsdState::kMaster);
}

TEST_CASE("an old word of a handover is not acted on when somebody has mastered the VSD since") {
  Solo solo;
  solo.world.run_for(milliseconds(50));
  Heartbeat old_master = solo.heard(0xa1, VsdState::kMaster, 50, 1);
  solo.hears_for(kHold, old_master);
  REQUIRE(solo.state() == VsdState::kPrimaryBackup);
  old_master.vsds[0].state = VsdState::kBackup;
  old_master.vsds[0].handed_to = UnitId{0xb1};
  old_master.sequence = ++solo.sequence;
  solo.world.deliver(solo.node, kHa1, old_master);
  REQUIRE(solo.state() == VsdState::kMaster);
  solo.world.deliver(solo.node, kHa1, solo.heard(0xc1, VsdState::kMaster, 10, 3));
  REQUIRE(solo.state() != VsdState::kMaster);
  solo.world.deliver(solo.node, kHa1, solo.heard(0xc1, VsdState::kPrimaryBackup, 10, 3));
  CHECK(solo.state() != VsdState::kMaster);
}

TEST_CASE("a member that has restarted is not the successor that its former run was named to be") {
  World world;
  std::vector<NodeId> nodes;
  for (const auto& [unit, priority] : {std::pair(0xa1, 50), std::pair(0xb1, 80), std::pair(0xc1, 100)}) {
    MemberSettings settings = device(static_cast<uint64_t>(unit), static_cast<uint8_t>(priority));
    settings.init_hold = settings.hb_threshold;  // it would act in the moment the others stop waiting for it
    nodes.push_back(world.add(settings));
    world.start(nodes.back());
  }
  world.run_for(seconds(3));
  const NodeId a = nodes[0], b = nodes[1], c = nodes[2];
  REQUIRE(world.state(a) == VsdState::kMaster);
  REQUIRE(world.state(b) == VsdState::kPrimaryBackup);
  world.after_event = [&] { REQUIRE_FALSE((world.forwards(b) && world.forwards(c))); };
  world.power_off(b);
  world.run_for(milliseconds(100));
  world.start(b);
  world.set_health(a, false);
  world.run_for(kInterval * 2);
  CHECK(world.state(c) == VsdState::kMaster);
  world.run_for(kSilence * 3);
  CHECK(world.state(c) == VsdState::kMaster);
}

TEST_CASE("a backup that was told of a later mastership waits for its word when the old master is backup") {
  Solo solo;
  solo.world.run_for(milliseconds(50));
  solo.hears_for(kHold, solo.heard(0xa1, VsdState::kMaster, 150, 1));
  REQUIRE(solo.state() == VsdState::kPrimaryBackup);
  solo.world.deliver(solo.node, kHa1, solo.heard(0xc1, VsdState::kBackup, 200, 2));
  solo.world.deliver(solo.node, kHa1, solo.heard(0xa1, VsdState::kBackup, 150, 2));
  solo.world.run_for(kInterval);
  CHECK(solo.state() == VsdState::kPrimaryBackup);
  solo.world.deliver(solo.node, kHa1, solo.heard(0xd1, VsdState::kMaster, 10, 2));
  CHECK(solo.state() != VsdState::kMaster);
}

TEST_CASE("a named successor is waited for although it was last heard in the initial state") {
  Solo solo;
  solo.world.run_for(milliseconds(50));
  solo.hears_for(kHold, solo.heard(0xa1, VsdState::kMaster, 50, 1));
  REQUIRE(solo.state() == VsdState::kPrimaryBackup);
  solo.world.deliver(solo.node, kHa1, solo.heard(0xc1, VsdState::kInitial, 10, 1));
  Heartbeat released = solo.heard(0xa1, VsdState::kBackup, 50, 1);
  released.vsds[0].handed_to = UnitId{0xc1};
  solo.world.deliver(solo.node, kHa1, released);
  solo.world.run_for(kInterval * 2);
  CHECK(solo.state() == VsdState::kPrimaryBackup);
}

TEST_CASE("whom a master named counts on when that master restarts at once, for as long as its silence would") {
  Solo solo;
  solo.world.run_for(milliseconds(50));
  solo.hears_for(kHold, solo.heard(0xa1, VsdState::kMaster, 50, 1));
  REQUIRE(solo.state() == VsdState::kPrimaryBackup);
  const Heartbeat named = solo.heard(0xc1, VsdState::kBackup, 10, 1);
  solo.world.deliver(solo.node, kHa1, named);
  Heartbeat last = solo.heard(0xa1, VsdState::kBackup, 50, 1);
  last.vsds[0].handed_to = named.unit;
  solo.world.deliver(solo.node, kHa1, last);
  Heartbeat anew = solo.heard(0xa1, VsdState::kInitial, 50, 0);
  anew.boot_epoch = 0xa2;
  solo.world.deliver(solo.node, kHa1, anew);
  solo.world.run_for(kInterval);
  CHECK(solo.state() == VsdState::kPrimaryBackup);
  solo.hears_for(kSilence * 4, named);  // it lives, and does not come
  CHECK(solo.state() == VsdState::kMaster);
}
