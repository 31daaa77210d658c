// SPDX-License-Identifier: Apache-2.0
#include "cluster.h"

using namespace nsrp;
using namespace nsrp::sim;
using Words = std::vector<std::string>;

TEST_CASE("a master with a living peer renews its lease with each heartbeat for threshold x interval less a half") {
  Pair pair;
  pair.world.run_for(seconds(2));
  const auto grants = pair.world.happened<GrantLease>(pair.a);
  const auto heartbeats = pair.world.happened<SendHeartbeat>(pair.a);
  REQUIRE(grants.size() == heartbeats.size());
  for (size_t i = 0; i < grants.size(); ++i) {
    CHECK(grants[i].first == heartbeats[i].first);
    CHECK(grants[i].second.until - grants[i].first == kLease);
    CHECK(grants[i].second.alone_grace == Duration(0));
  }
}

TEST_CASE("a master without a living peer gets the long lease, and the short one as soon as a peer appears") {
  Solo solo;
  solo.world.run_for(seconds(2));
  const DataPathLease* lease = solo.world.lease(solo.node);
  REQUIRE(lease != nullptr);
  CHECK(lease->until - solo.world.now() > Member::kAloneLease - kInterval);
  CHECK(lease->alone_grace == kGrace);
  solo.world.deliver(solo.node, kHa1, solo.heard(0xa1, VsdState::kInitial, 100, 0));
  lease = solo.world.lease(solo.node);
  CHECK(lease->until - solo.world.now() == kLease);
  CHECK(lease->alone_grace == Duration(0));
}

TEST_CASE("promotion: first the lease, then the word of it, then the heartbeat, then the announcement") {
  Pair pair;
  pair.world.power_off(pair.a);
  pair.world.run_until_true(seconds(2), [&] { return pair.world.state(pair.b) == VsdState::kMaster; });
  CHECK(order_of(pair.world, pair.b, pair.world.now()) == Words{"grant", "state", "heartbeat", "announce"});
}

TEST_CASE("a master that stood still past its lease revokes it, becomes backup, and does not come back by itself") {
  Pair pair;
  for (const bool timers_first : {true, false}) {
    CAPTURE(timers_first);
    pair.world.run_until_true(
        seconds(1), [&] { return pair.world.state(pair.a) == VsdState::kMaster && pair.world.forwards(pair.a); });
    pair.world.pause(pair.a);
    pair.world.run_for(seconds(2));
    CHECK_FALSE(pair.world.forwards(pair.a));
    CHECK(pair.world.state(pair.b) == VsdState::kMaster);
    pair.world.forget_history();
    const Instant resumed = pair.world.now();
    pair.world.resume(pair.a, timers_first);
    const Words order = order_of(pair.world, pair.a, resumed);
    REQUIRE(order.size() >= 3);
    CHECK(order[0] == "revoke");
    CHECK(order[1] == "state");
    CHECK(std::find(order.begin(), order.end(), "grant") == order.end());
    pair.world.run_for(seconds(3));
    CHECK(pair.roles(VsdState::kPrimaryBackup, VsdState::kMaster));
    CHECK(pair.world.happened<GrantLease>(pair.a).empty());
    CHECK(pair.world.happened<Conflict>(pair.b).empty());
    REQUIRE(pair.world.command(pair.a, kVsd0, ModeCommand::kMaster).has_value());
    pair.world.run_for(seconds(1));
  }
}

TEST_CASE("the peer takes over only after the lease of a stopped master has run out") {
  Pair pair;
  pair.world.after_event = [&] { REQUIRE_FALSE((pair.world.forwards(pair.a) && pair.world.forwards(pair.b))); };
  pair.world.pause(pair.a);
  pair.world.run_until_true(seconds(2), [&] { return pair.world.forwards(pair.b); });
  CHECK(pair.world.forwards(pair.b));
}

TEST_CASE("a member whose lease ran out listens for threshold x interval before it stands again") {
  Solo solo;
  solo.world.run_for(kHold);
  REQUIRE(solo.state() == VsdState::kMaster);
  const Heartbeat worse = solo.heard(0xa1, VsdState::kBackup, 200);
  solo.hears_for(kInterval, worse);
  solo.world.pause(solo.node);
  solo.world.run_for(kLease);
  solo.world.resume(solo.node, true);
  CHECK(solo.state() == VsdState::kBackup);
  solo.hears_for(kSilence - milliseconds(1), worse);
  CHECK(solo.state() == VsdState::kBackup);
  solo.world.run_for(milliseconds(1));
  CHECK(solo.state() == VsdState::kMaster);
}

TEST_CASE("a backup that stood still does not take its own silence for the master's") {
  Pair pair;
  pair.world.pause(pair.b);
  pair.world.run_for(seconds(5));
  pair.world.resume(pair.b, true);
  pair.world.run_for(seconds(2));
  CHECK(pair.roles(VsdState::kMaster, VsdState::kPrimaryBackup));
  CHECK(pair.world.happened<PeerLost>(pair.b).empty());
  CHECK(pair.world.happened<StateChanged>(pair.b).empty());
}

TEST_CASE("a backup that stood still does not act on old frames that lay in its socket") {
  Pair pair;
  pair.world.pause(pair.b);
  // The master leaves in order and comes back: the word of its leaving is old when the backup reads it.
  pair.world.leave(pair.a);
  pair.world.run_for(seconds(2));
  pair.world.start(pair.a);
  pair.world.run_for(seconds(2));
  REQUIRE(pair.world.state(pair.a) == VsdState::kMaster);
  pair.world.after_event = [&] { REQUIRE_FALSE((pair.world.forwards(pair.a) && pair.world.forwards(pair.b))); };
  pair.world.resume(pair.b, true);
  pair.world.run_for(seconds(3));
  CHECK(pair.roles(VsdState::kMaster, VsdState::kPrimaryBackup));
}

TEST_CASE("a lone master that stood still goes on, but renews only after an interval in which nobody spoke") {
  Solo solo;
  solo.world.run_for(seconds(3));
  solo.world.pause(solo.node);
  solo.world.run_for(seconds(10));
  solo.world.forget_history();
  const Instant resumed = solo.world.now();
  solo.world.resume(solo.node, true);
  CHECK(solo.state() == VsdState::kMaster);
  CHECK(solo.world.forwards(solo.node));
  solo.world.run_for(seconds(1));
  const auto grants = solo.world.happened<GrantLease>(solo.node);
  REQUIRE_FALSE(grants.empty());
  CHECK(grants.front().first - resumed >= kInterval);
  CHECK(solo.state() == VsdState::kMaster);
}

TEST_CASE("a lone master that stood still while a peer came and took over steps down") {
  World world;
  const NodeId a = world.add(device(0xa1, 50)), b = world.add(device(0xb1, 100));
  world.start(a);
  world.run_for(seconds(3));
  world.pause(a);
  world.run_for(seconds(1));
  CHECK(world.forwards(a));
  world.after_event = [&] { REQUIRE_FALSE((world.forwards(a) && world.forwards(b))); };
  world.start(b);
  world.run_for(seconds(2));
  CHECK_FALSE(world.forwards(a));
  CHECK(world.state(b) == VsdState::kMaster);
  SUBCASE("timers first") {
    world.resume(a, true);
  }
  SUBCASE("frames first") {
    world.resume(a, false);
  }
  world.run_for(seconds(2));
  CHECK(world.state(a) == VsdState::kPrimaryBackup);
  CHECK(world.state(b) == VsdState::kMaster);
}

TEST_CASE("a daemon that restarts while its lease is in force resumes as master with the same term") {
  Pair pair;
  pair.world.kill(pair.a);
  pair.world.run_for(milliseconds(250));
  REQUIRE(pair.world.forwards(pair.a));
  pair.world.start(pair.a);
  CHECK(pair.world.state(pair.a) == VsdState::kMaster);
  CHECK(pair.world.term(pair.a) == 1);
  pair.world.run_for(seconds(5));
  CHECK(pair.roles(VsdState::kMaster, VsdState::kPrimaryBackup));
}

TEST_CASE("a resumed master takes no long lease before it is sure that nobody is there") {
  Pair pair;
  pair.world.kill(pair.a);
  pair.world.start(pair.a);
  const auto grants = pair.world.happened<GrantLease>(pair.a);
  CHECK(grants.back().second.until - pair.world.now() == kLease);
  CHECK(grants.back().second.alone_grace == Duration(0));
}

TEST_CASE("a daemon that restarts after its lease ran out starts as initial") {
  Pair pair;
  pair.world.kill(pair.a);
  pair.world.run_for(seconds(2));
  pair.world.start(pair.a);
  CHECK(pair.roles(VsdState::kInitial, VsdState::kMaster));
}
