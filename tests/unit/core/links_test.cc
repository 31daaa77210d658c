// SPDX-License-Identifier: Apache-2.0
// Manual ch. 1, "Dual High Availability Interfaces".
#include "cluster.h"

using namespace nsrp;
using namespace nsrp::sim;

namespace {

void set_link(World& world, NodeId node, LinkIndex link, LinkFacts facts) {
  world.call(node, [&](Member& m, Instant now) { return m.on_link(now, link, facts); });
}

}  // namespace

TEST_CASE("the lower-numbered link is control, the higher is data") {
  Pair pair;
  CHECK(pair.world.member(pair.a).control_link() == kHa1);
  CHECK(pair.world.member(pair.a).data_link() == kHa2);
}

TEST_CASE("a gigabit link that is left alone carries both, a slower one control only") {
  Pair pair;
  for (const uint32_t speed : {1000u, 0u, 100u}) {
    CAPTURE(speed);
    const bool data = speed != 100;
    set_link(pair.world, pair.a, kHa1, {true, false, 1000, "ha1"});
    set_link(pair.world, pair.a, kHa2, {true, true, speed, "ha2"});
    pair.world.run_for(kInterval);
    CHECK(pair.world.member(pair.a).control_link() == kHa2);
    CHECK(pair.world.member(pair.a).data_link().has_value() == data);
  }
}

TEST_CASE("a silent link loses its role after the threshold though its carrier is up, and gets it back") {
  Pair pair;
  for (auto [from, to] : {std::pair(pair.a, pair.b), std::pair(pair.b, pair.a)}) pair.world.cut(from, to, kHa1);
  pair.world.run_for(kSilence + milliseconds(1));
  for (NodeId node : {pair.a, pair.b}) {
    CHECK(pair.world.member(node).control_link() == kHa2);
    CHECK(pair.world.member(node).data_link() == kHa2);
    CHECK_FALSE(pair.world.member(node).links().at(kHa1).alive);
  }
  CHECK(pair.world.happened<PeerLost>(pair.a).empty());
  CHECK(pair.roles(VsdState::kMaster, VsdState::kPrimaryBackup));
  pair.world.heal_all();
  pair.world.run_for(kInterval * 2);
  for (NodeId node : {pair.a, pair.b}) {
    CHECK(pair.world.member(node).control_link() == kHa1);
    CHECK(pair.world.member(node).data_link() == kHa2);
  }
}

TEST_CASE("loss of carrier moves control at once, and the link counts again only when it is heard on") {
  Pair pair;
  set_link(pair.world, pair.a, kHa1, {true, false, 1000, "ha1"});
  CHECK(pair.world.member(pair.a).control_link() == kHa2);
  CHECK(pair.world.happened<LinkRolesChanged>(pair.a).size() == 1);
  set_link(pair.world, pair.a, kHa1, {true, true, 1000, "ha1"});
  CHECK(pair.world.member(pair.a).control_link() == kHa2);
  pair.world.run_for(kInterval + milliseconds(1));
  CHECK(pair.world.member(pair.a).control_link() == kHa1);
}

TEST_CASE("while nobody is heard the lowest link with a carrier is control, and there is no data link") {
  Solo solo;
  CHECK(solo.world.member(solo.node).control_link() == kHa1);
  CHECK_FALSE(solo.world.member(solo.node).data_link().has_value());
  set_link(solo.world, solo.node, kHa1, {true, false, 1000, "ha1"});
  CHECK(solo.world.member(solo.node).control_link() == kHa2);
  set_link(solo.world, solo.node, kHa2, {});
  CHECK_FALSE(solo.world.member(solo.node).control_link().has_value());
  CHECK(solo.world.member(solo.node).links().size() == 1);
}

TEST_CASE("a link that works in one direction only is dead on both sides, which move together and back") {
  for (const bool forth : {true, false}) {
    CAPTURE(forth);
    Pair pair;
    pair.world.cut(forth ? pair.a : pair.b, forth ? pair.b : pair.a, kHa1);
    pair.world.run_for(kSilence + kInterval + milliseconds(1));
    for (NodeId node : {pair.a, pair.b}) {
      CHECK_FALSE(pair.world.member(node).links().at(kHa1).alive);
      CHECK(pair.world.member(node).control_link() == kHa2);
    }
    const NodeId hears = forth ? pair.a : pair.b;
    CHECK(contains(pair.world.member(hears).links().at(kHa1).cause, "does not hear us on it"));
    CHECK(pair.world.happened<PeerLost>(pair.a).empty());
    CHECK(pair.world.happened<PeerLost>(pair.b).empty());
    pair.world.heal_all();
    pair.world.run_for(kInterval * 2);
    for (NodeId node : {pair.a, pair.b}) CHECK(pair.world.member(node).control_link() == kHa1);
    CHECK(pair.roles(VsdState::kMaster, VsdState::kPrimaryBackup));
  }
}

TEST_CASE("the interface of set nsrp interface carries control when no link of zone ha does, and never data") {
  Solo solo;
  for (LinkIndex link : {kHa1, kHa2}) set_link(solo.world, solo.node, link, {true, false, 1000, "ha"});
  set_link(solo.world, solo.node, kControlInterface, {true, true, 1000, "eth1"});
  Heartbeat heard = solo.heard(0xa1, VsdState::kBackup, 200);
  heard.heard[0].links = LinkSet(0b01000);
  solo.hears_for(kInterval, heard);
  CHECK(solo.world.member(solo.node).control_link() == kControlInterface);
  CHECK_FALSE(solo.world.member(solo.node).data_link().has_value());
  CHECK(solo.world.happened<SendHeartbeat>(solo.node).back().second.links == LinkSet(0b01000));
}

TEST_CASE("the secondary path is silent while the peer is heard on an HA link, and speaks before a peer is given up") {
  Solo solo;
  set_link(solo.world, solo.node, kSecondaryPath, {true, true, 1000, "eth1"});
  const auto speaks_there = [&] {
    return solo.world.happened<SendHeartbeat>(solo.node).back().second.links.test(kSecondaryPath.value);
  };
  solo.hears_for(seconds(1), solo.heard(0xa1, VsdState::kBackup, 200));
  CHECK_FALSE(speaks_there());
  CHECK(contains(solo.world.member(solo.node).links().at(kSecondaryPath).cause, "standing by"));
  solo.world.run_for(kInterval);
  CHECK(speaks_there());
  CHECK(solo.world.happened<PeerLost>(solo.node).empty());
  solo.hears_for(kInterval, solo.heard(0xa1, VsdState::kBackup, 200));
  solo.world.run_for(milliseconds(1));
  CHECK_FALSE(speaks_there());
}

TEST_CASE("the secondary path speaks when the peer says that it hears us on no HA link") {
  Solo solo;
  set_link(solo.world, solo.node, kSecondaryPath, {true, true, 1000, "eth1"});
  solo.hears_for(seconds(1), solo.heard(0xa1, VsdState::kBackup, 200));
  Heartbeat deaf = solo.heard(0xa1, VsdState::kBackup, 200);
  deaf.heard[0].links = {};
  solo.world.deliver(solo.node, kHa1, deaf);
  CHECK(solo.world.happened<SendHeartbeat>(solo.node).back().second.links.test(kSecondaryPath.value));
}

TEST_CASE("a change of a link's state tells why") {
  Pair pair;
  set_link(pair.world, pair.a, kHa1, {true, false, 1000, "ha1"});
  const auto changes = pair.world.happened<LinkStateChanged>(pair.a);
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].second.link == kHa1);
  CHECK_FALSE(changes[0].second.alive);
  CHECK(changes[0].second.cause == "no carrier");
}
