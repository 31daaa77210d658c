// SPDX-License-Identifier: Apache-2.0
// Acknowledgements in heartbeats: leases that end where the others' patience ends, and word of members not heard.
#include "cluster.h"

using namespace nsrp;
using namespace nsrp::sim;

namespace {

struct Three {
  Three() {
    for (const uint8_t priority : std::initializer_list<uint8_t>{50, 100, 150})
      nodes.push_back(world.add(device(0xa0 + priority, priority)));
    for (NodeId node : nodes) world.start(node);
    world.run_for(seconds(3));
    world.forget_history();
  }
  void never_two_masters() {
    world.after_event = [this] {
      size_t masters = 0;
      for (NodeId node : nodes) masters += world.forwards(node) ? 1 : 0;
      REQUIRE(masters <= 1);
    };
  }
  size_t masters() const {
    return static_cast<size_t>(std::count_if(
        nodes.begin(), nodes.end(), [&](NodeId n) { return world.up(n) && world.state(n) == VsdState::kMaster; }));
  }

  World world;
  std::vector<NodeId> nodes;
};

const Hearing* hearing_of(const Heartbeat& said, uint64_t unit) {
  const auto it =
      std::find_if(said.heard.begin(), said.heard.end(), [&](const Hearing& h) { return h.unit.value == unit; });
  return it == said.heard.end() ? nullptr : &*it;
}

}  // namespace

TEST_CASE("a heartbeat says which of the other's heartbeats was heard last, how long ago, and on which links") {
  Solo solo;
  const Heartbeat heard = solo.heard(0xa1, VsdState::kMaster, 50);
  solo.world.deliver(solo.node, kHa2, heard);
  solo.world.run_for(kInterval);
  const Heartbeat said = solo.said();
  const Hearing* hearing = hearing_of(said, 0xa1);
  REQUIRE(hearing != nullptr);
  CHECK(hearing->epoch == heard.boot_epoch);
  CHECK(hearing->sequence == heard.sequence);
  CHECK(hearing->silence == kInterval);
  CHECK(hearing->forgiven == Duration(0));
  CHECK(hearing->links == LinkSet(0b10));
  CHECK_FALSE(hearing->relayed);
}

TEST_CASE("where only the backup is heard, the master's lease ends before the backup takes over") {
  Pair pair;
  pair.world.after_event = [&] { REQUIRE_FALSE((pair.world.forwards(pair.a) && pair.world.forwards(pair.b))); };
  pair.world.cut_all(pair.a, pair.b);
  pair.world.run_for(seconds(2));
  CHECK(pair.roles(VsdState::kPrimaryBackup, VsdState::kMaster));
  CHECK(contains(pair.world.happened<StateChanged>(pair.a).front().second.cause, "has not heard this device"));
  pair.world.heal_all();
  pair.world.run_for(seconds(3));
  CHECK(pair.roles(VsdState::kPrimaryBackup, VsdState::kMaster));
}

TEST_CASE("where only the master is heard, nothing changes hands") {
  Pair pair;
  pair.world.cut_all(pair.b, pair.a);
  pair.world.run_for(seconds(5));
  CHECK(pair.roles(VsdState::kMaster, VsdState::kPrimaryBackup));
  CHECK(pair.world.happened<StateChanged>(pair.b).empty());
}

TEST_CASE("a backup that stood still and speaks before it has listened does not cost the master its lease") {
  Pair pair;
  pair.world.pause(pair.b);
  pair.world.run_for(milliseconds(550));
  pair.world.resume(pair.b, true);
  pair.world.run_for(seconds(2));
  CHECK(pair.roles(VsdState::kMaster, VsdState::kPrimaryBackup));
  CHECK(pair.world.happened<StateChanged>(pair.a).empty());
}

TEST_CASE("a lost heartbeat is asked for and comes again well before the next one is due") {
  Pair pair;
  pair.world.run_until_true(seconds(1), [&] { return !pair.world.happened<SendHeartbeat>(pair.a).empty(); });
  pair.world.run_for(milliseconds(50));
  pair.world.cut_all(pair.a, pair.b);
  pair.world.run_for(kInterval);  // one is lost
  pair.world.heal_all();
  pair.world.run_for(kInterval / 2);
  const PeerView peer = pair.world.member(pair.b).peers().at(0);
  CHECK(pair.world.now() - peer.last_heard < kInterval / 2);
  CHECK(peer.missed == 1);
}

TEST_CASE("a peer that has never heard a master takes its VSD away, and there are never two") {
  World world;
  const NodeId a = world.add(device(0xa1, 50)), b = world.add(device(0xb1, 100));
  world.after_event = [&] { REQUIRE_FALSE((world.forwards(a) && world.forwards(b))); };
  world.start(a);
  world.run_for(seconds(3));
  world.cut_all(a, b);
  world.start(b);
  world.run_for(seconds(5));
  CHECK(world.state(a) == VsdState::kPrimaryBackup);
  CHECK(world.state(b) == VsdState::kMaster);
}

TEST_CASE("of two members without a master, the one that does not hear the other goes first") {
  World world;
  const NodeId a = world.add(device(0xa1, 50)), b = world.add(device(0xb1, 100));
  world.after_event = [&] { REQUIRE_FALSE((world.forwards(a) && world.forwards(b))); };
  world.cut_all(a, b);  // b hears nothing; a has the better priority
  world.start(a);
  world.start(b);
  world.run_for(seconds(5));
  CHECK(world.state(b) == VsdState::kMaster);
  CHECK(world.state(a) == VsdState::kPrimaryBackup);
}

TEST_CASE("a master that one of its backups does not hear stays, because the other one tells of it") {
  Three three;
  three.never_two_masters();
  three.world.cut_all(three.nodes[0], three.nodes[1]);
  SUBCASE("one way") {}
  SUBCASE("both ways") {
    three.world.cut_all(three.nodes[1], three.nodes[0]);
  }
  three.world.run_for(seconds(10));
  CHECK(three.world.state(three.nodes[0]) == VsdState::kMaster);
  CHECK(three.masters() == 1);
  CHECK(three.world.happened<StateChanged>(three.nodes[0]).empty());
}

TEST_CASE("a master that is heard by nobody any more is replaced, although its death is told around") {
  Three three;
  three.never_two_masters();
  three.world.power_off(three.nodes[0]);
  three.world.run_for(kSilence + kInterval);
  CHECK(three.world.state(three.nodes[1]) == VsdState::kMaster);
}

TEST_CASE("two masters that do not hear each other, but a third hears both, become one") {
  Three three;
  for (const auto& [from, to] : {std::pair(0, 1), {0, 2}, {1, 0}, {2, 0}}) {
    three.world.cut_all(three.nodes[static_cast<size_t>(from)], three.nodes[static_cast<size_t>(to)]);
  }
  three.world.run_for(seconds(3));
  REQUIRE(three.masters() == 2);
  three.world.heal_all();
  three.world.cut_all(three.nodes[0], three.nodes[1]);
  three.world.cut_all(three.nodes[1], three.nodes[0]);
  three.world.run_for(seconds(5));
  CHECK(three.masters() == 1);
  CHECK(three.world.state(three.nodes[1]) == VsdState::kMaster);
}

TEST_CASE("word of a dead member that goes round does not keep it alive") {
  Three three;
  three.world.cut_all(three.nodes[0], three.nodes[1]);
  three.world.run_for(seconds(2));
  three.world.power_off(three.nodes[0]);
  three.world.run_for(2 * kSilence);
  CHECK_FALSE(three.world.member(three.nodes[1]).peers().at(0).alive);
  CHECK(three.masters() == 1);
}

TEST_CASE("a resumed master keeps to the lease of the run before until the peer has heard the new one") {
  Pair pair;
  pair.world.after_event = [&] { REQUIRE_FALSE((pair.world.forwards(pair.a) && pair.world.forwards(pair.b))); };
  pair.world.kill(pair.a);
  pair.world.run_for(milliseconds(400));
  pair.world.cut_all(pair.a, pair.b);
  pair.world.start(pair.a);
  pair.world.run_for(seconds(3));
  CHECK(pair.world.state(pair.b) == VsdState::kMaster);
}
