// SPDX-License-Identifier: Apache-2.0
#include "cluster.h"

using namespace nsrp;
using namespace nsrp::sim;

TEST_CASE("a VSD group that is added starts as initial and ends up with one master") {
  Pair pair;
  for (auto [node, unit, priority] : {std::tuple(pair.a, 0xa1, 100), std::tuple(pair.b, 0xb1, 50)}) {
    MemberSettings settings = pair.world.settings(node);
    settings.vsds.push_back({.id = kVsd1, .priority = static_cast<uint8_t>(priority)});
    pair.world.set_settings(node, settings);
    CHECK(pair.world.state(node, kVsd1) == VsdState::kInitial);
    CHECK(pair.world.settings(node).unit == UnitId{static_cast<uint64_t>(unit)});
  }
  pair.world.run_for(seconds(2));
  CHECK(pair.world.state(pair.a, kVsd1) == VsdState::kPrimaryBackup);
  CHECK(pair.world.state(pair.b, kVsd1) == VsdState::kMaster);
  CHECK(pair.roles(VsdState::kMaster, VsdState::kPrimaryBackup));
}

TEST_CASE("a VSD group that is removed from the master is revoked, and the peer takes it at once") {
  Pair pair;
  MemberSettings settings = pair.world.settings(pair.a);
  settings.vsds.clear();
  pair.world.set_settings(pair.a, settings);
  CHECK(pair.world.lease(pair.a) == nullptr);
  CHECK(pair.world.member(pair.a).vsds().empty());
  pair.world.run_for(milliseconds(2));
  CHECK(pair.world.state(pair.b) == VsdState::kMaster);
  CHECK(contains(pair.world.cause(pair.b), "no longer has this VSD group"));
}

TEST_CASE("a new heartbeat interval is in effect at once and said at once") {
  Pair pair;
  pair.world.run_for(milliseconds(70));
  pair.world.forget_history();
  const Instant changed = pair.world.now();
  MemberSettings settings = pair.world.settings(pair.a);
  settings.hb_interval = milliseconds(100);
  pair.world.set_settings(pair.a, settings);
  pair.world.run_for(seconds(2));
  const auto sent = pair.world.happened<SendHeartbeat>(pair.a);
  REQUIRE(sent.size() == 21);
  CHECK(sent[0].first == changed);
  CHECK(sent[1].first == changed + milliseconds(100));
  CHECK(sent[0].second.heartbeat.hb_interval == milliseconds(100));
}

TEST_CASE("when the interval grows, leases stay short until the peer must have heard of it") {
  Pair pair;
  MemberSettings settings = pair.world.settings(pair.a);
  settings.hb_interval = milliseconds(1000);
  const Instant changed = pair.world.now();
  // The peer misses the first words of the new interval and would take over after the old one.
  pair.world.cut_all(pair.a, pair.b);
  pair.world.set_settings(pair.a, settings);
  for (const auto& [at, grant] : pair.world.happened<GrantLease>(pair.a)) CHECK(grant.until - at <= kLease);
  pair.world.run_for(milliseconds(300));
  pair.world.heal_all();
  pair.world.forget_history();
  pair.world.run_for(seconds(5));
  CHECK(pair.roles(VsdState::kMaster, VsdState::kPrimaryBackup));
  CHECK(pair.world.happened<StateChanged>(pair.b).empty());
  for (const auto& [at, grant] : pair.world.happened<GrantLease>(pair.a)) {
    const Duration expected = at < changed + kSilence ? Duration(kLease) : Duration(milliseconds(2500));
    CHECK(grant.until - at == expected);
  }
}

TEST_CASE("a changed priority alone moves nothing; with preempt it does") {
  Pair pair;
  MemberSettings settings = device(0xb1, 10);
  pair.world.set_settings(pair.b, settings);
  pair.world.run_for(seconds(3));
  CHECK(pair.roles(VsdState::kMaster, VsdState::kPrimaryBackup));
  settings.vsds[0].preempt = true;
  pair.world.set_settings(pair.b, settings);
  pair.world.run_for(milliseconds(20));
  CHECK(pair.roles(VsdState::kPrimaryBackup, VsdState::kMaster));
}
