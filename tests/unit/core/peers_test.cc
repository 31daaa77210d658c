// SPDX-License-Identifier: Apache-2.0
// Manual ch. 1, "Heartbeat Messages".
#include "cluster.h"

using namespace nsrp;
using namespace nsrp::sim;

TEST_CASE("heartbeats leave on a fixed grid, however late the process is") {
  Solo solo;
  solo.world.lateness = [](NodeId) { return milliseconds(30); };
  const Instant start = solo.world.now();
  solo.world.run_for(seconds(4));
  const auto sent = solo.world.happened<SendHeartbeat>(solo.node);
  for (const auto& [at, heartbeat] : sent) CHECK((at - start) % kInterval <= milliseconds(30));
  CHECK(sent.size() == 20);
  CHECK(sent.back().second.heartbeat.sequence == sent.size());
}

TEST_CASE("a change is said at once, in one heartbeat") {
  Pair pair;
  pair.world.run_for(milliseconds(70));
  pair.world.forget_history();
  MemberSettings changed = device(0xb1, 40);
  pair.world.set_settings(pair.b, changed);
  const auto sent = pair.world.happened<SendHeartbeat>(pair.b);
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].first == pair.world.now());
  CHECK(sent[0].second.heartbeat.vsds[0].priority == 40);
}

TEST_CASE("a heartbeat carries what the manual lists") {
  MemberSettings settings = device(0xb1, 77);
  settings.sync_required = true;
  Solo solo(settings);
  solo.world.call(solo.node, [](Member& m, Instant now) { return m.on_sync(now, true, UnitId{0xa1}); });
  const Heartbeat said = solo.said();
  CHECK(said.unit == UnitId{0xb1});
  CHECK(said.hb_interval == kInterval);
  CHECK(said.hb_threshold == 3);
  CHECK(said.rto_enabled);
  CHECK(said.rto_peer == UnitId{0xa1});
  CHECK(said.vsds ==
        std::vector<VsdAdvert>{{.vsd = kVsd0, .state = VsdState::kInitial, .priority = 77, .in_sync = true}});
}

TEST_CASE("the copy on the second link counts for that link only") {
  Solo solo;
  const Heartbeat heartbeat = solo.heard(0xa1, VsdState::kMaster, 100);
  solo.world.deliver(solo.node, kHa1, heartbeat);
  solo.world.run_for(milliseconds(10));
  solo.world.deliver(solo.node, kHa2, heartbeat);
  const PeerView peer = solo.world.member(solo.node).peers().at(0);
  CHECK(peer.heartbeats == 1);
  CHECK(peer.last_heard == solo.world.now() - milliseconds(10));
  CHECK(peer.links.at(kHa2).last_heard == solo.world.now());
}

TEST_CASE("a late heartbeat of the same run is not believed") {
  Solo solo;
  Heartbeat early = solo.heard(0xa1, VsdState::kMaster, 100, 5);
  const Heartbeat newer = solo.heard(0xa1, VsdState::kBackup, 100, 5);
  solo.world.deliver(solo.node, kHa1, newer);
  solo.world.deliver(solo.node, kHa1, early);
  CHECK(solo.world.member(solo.node).peers().at(0).last.vsds[0].state == VsdState::kBackup);
}

TEST_CASE("a late heartbeat of an earlier run is not taken for another restart") {
  Solo solo;
  Heartbeat before = solo.heard(0xa1, VsdState::kMaster, 100);
  solo.world.deliver(solo.node, kHa1, before);
  Heartbeat after = solo.heard(0xa1, VsdState::kInitial, 100);
  after.boot_epoch = 77;
  after.sequence = 1;
  solo.world.deliver(solo.node, kHa1, after);
  before.sequence += 10;
  solo.world.deliver(solo.node, kHa1, before);
  CHECK(solo.world.member(solo.node).peers().at(0).last.boot_epoch == 77);
  CHECK(solo.world.happened<PeerUp>(solo.node).size() == 2);
  CHECK(solo.world.happened<PeerLost>(solo.node).size() == 1);
}

TEST_CASE("gaps in the sequence are counted as missed") {
  Solo solo;
  solo.world.deliver(solo.node, kHa1, solo.heard(0xa1, VsdState::kMaster, 100));
  (void)solo.heard(0xa1, VsdState::kMaster, 100);
  (void)solo.heard(0xa1, VsdState::kMaster, 100);
  solo.world.deliver(solo.node, kHa1, solo.heard(0xa1, VsdState::kMaster, 100));
  const PeerView peer = solo.world.member(solo.node).peers().at(0);
  CHECK(peer.heartbeats == 2);
  CHECK(peer.missed == 2);
}

TEST_CASE("a heartbeat that comes late was not missed, and a copy of it is no news") {
  Solo solo;
  solo.world.deliver(solo.node, kHa1, solo.heard(0xa1, VsdState::kMaster, 100));
  const Heartbeat late = solo.heard(0xa1, VsdState::kMaster, 100);
  solo.world.deliver(solo.node, kHa1, solo.heard(0xa1, VsdState::kMaster, 100));
  CHECK(solo.world.member(solo.node).peers().at(0).missed == 1);
  solo.world.deliver(solo.node, kHa1, late);
  solo.world.deliver(solo.node, kHa1, late);
  const PeerView peer = solo.world.member(solo.node).peers().at(0);
  CHECK(peer.heartbeats == 3);
  CHECK(peer.missed == 0);
  CHECK(peer.links.at(kHa1).missed == 0);
}

TEST_CASE("a peer is dead after the longer of our and its threshold x interval") {
  Solo solo;
  Heartbeat slow = solo.heard(0xa1, VsdState::kMaster, 100);
  slow.hb_interval = milliseconds(1000);
  solo.world.deliver(solo.node, kHa1, slow);
  solo.world.run_for(seconds(3) - milliseconds(1));
  CHECK(solo.world.happened<PeerLost>(solo.node).empty());
  solo.world.run_for(milliseconds(1));
  CHECK(solo.world.happened<PeerLost>(solo.node).size() == 1);
}

TEST_CASE("a peer that speaks again is up again") {
  Pair pair;
  pair.cut_network();
  pair.world.run_for(seconds(2));
  CHECK(pair.world.happened<PeerLost>(pair.a).size() == 1);
  pair.world.heal_all();
  pair.world.run_for(seconds(1));
  CHECK(pair.world.happened<PeerUp>(pair.a).size() == 1);
}

TEST_CASE("our own unit id in a heartbeat is ignored") {
  Solo solo;
  solo.world.deliver(solo.node, kHa1, solo.heard(0xb1, VsdState::kMaster, 1, 9));
  CHECK(solo.world.member(solo.node).peers().empty());
}

TEST_CASE("a flood of invented unit ids neither grows without bound nor pushes living members out") {
  Solo solo;
  solo.world.deliver(solo.node, kHa1, solo.heard(0xa1, VsdState::kMaster, 100));
  for (uint64_t unit = 0x1000; unit < 0x1100; ++unit) {
    solo.world.deliver(solo.node, kHa1, solo.heard(unit, VsdState::kBackup, 100));
  }
  const auto peers = solo.world.member(solo.node).peers();
  CHECK(peers.size() <= 16);
  CHECK(std::any_of(peers.begin(), peers.end(), [](const PeerView& p) { return p.unit == UnitId{0xa1}; }));
}
