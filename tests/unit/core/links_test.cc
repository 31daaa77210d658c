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
