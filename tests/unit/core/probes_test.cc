// SPDX-License-Identifier: Apache-2.0
// Manual ch. 1, "Dual HA Link Probes".
#include "cluster.h"

using namespace nsrp;
using namespace nsrp::sim;

namespace {

MemberSettings probing(uint64_t unit, seconds interval, uint8_t threshold) {
  MemberSettings settings = device(unit, unit == 0xa1 ? 50 : 100);
  settings.probe = ProbeSettings{interval, threshold};
  return settings;
}

// A member that hears a peer, whose probes are answered when the test says so.
struct Probed {
  explicit Probed(MemberSettings settings = device(0xb1)) : solo(std::move(settings)) {}
  void run_for(Duration d) {
    for (Duration passed{0}; passed < d; passed += kInterval) {
      Heartbeat next = solo.heard(0xa1, VsdState::kBackup, 200);
      solo.world.deliver(solo.node, kHa1, next);
      solo.world.deliver(solo.node, kHa2, next);
      solo.world.run_for(std::min<Duration>(kInterval, d - passed));
      answer();
    }
  }
  void answer() {
    const auto sent = solo.world.happened<SendProbe>(solo.node);
    for (; seen < sent.size(); ++seen) {
      const SendProbe probe = sent[seen].second;
      if (probe.link == kHa1 ? !ha1_answers : !ha2_answers) continue;
      solo.world.call(solo.node, [&](Member& m, Instant now) { return m.on_probe_answer(now, probe.link, probe.id); });
    }
  }
  bool alive(LinkIndex link) { return solo.world.member(solo.node).links().at(link).alive; }
  Status command(LinkIndex link, uint8_t count) {
    Status done;
    solo.world.call(solo.node, [&](Member& m, Instant now) {
      Result<Actions> actions = m.on_probe_command(now, link, std::nullopt, count);
      if (actions) return *actions;
      done = fail(actions.error());
      return Actions{};
    });
    return done;
  }

  Solo solo;
  bool ha1_answers = true, ha2_answers = true;
  size_t seen = 0;
};

}  // namespace

TEST_CASE("without a setting nothing is probed") {
  Probed test;
  test.run_for(seconds(30));
  CHECK(test.solo.world.happened<SendProbe>(test.solo.node).empty());
}

TEST_CASE("probes go out on every HA link at their interval while a peer lives") {
  Probed test(probing(0xb1, seconds(3), 4));
  test.solo.world.run_for(seconds(10));
  CHECK(test.solo.world.happened<SendProbe>(test.solo.node).empty());
  test.run_for(seconds(29));
  const LinkView link = test.solo.world.member(test.solo.node).links().at(kHa1);
  CHECK(link.probes_sent == 10);
  CHECK(link.probes_answered == 10);
  CHECK(test.solo.world.happened<SendProbe>(test.solo.node).size() == 20);
}

TEST_CASE("a link on which threshold probes in a row died is dead though it is heard, and comes back with an answer") {
  Probed test(probing(0xb1, seconds(3), 4));
  test.run_for(seconds(7));
  REQUIRE(test.alive(kHa1));
  test.ha1_answers = false;
  test.run_for(seconds(9));
  CHECK(test.alive(kHa1));
  test.run_for(seconds(6));
  CHECK_FALSE(test.alive(kHa1));
  CHECK(contains(test.solo.world.member(test.solo.node).links().at(kHa1).cause, "probes"));
  CHECK(test.solo.world.member(test.solo.node).control_link() == kHa2);
  CHECK(test.solo.said().heard.at(0).links == LinkSet(0b10));  // the peer learns of it and moves, too
  test.ha1_answers = true;
  test.run_for(seconds(2));
  CHECK(test.alive(kHa1));
  CHECK(test.solo.world.member(test.solo.node).control_link() == kHa1);
}

TEST_CASE("one answer starts the count anew") {
  Probed test(probing(0xb1, seconds(1), 3));
  for (int i = 0; i < 5; ++i) {
    test.ha1_answers = false;
    test.run_for(seconds(2));
    test.ha1_answers = true;
    test.run_for(seconds(1));
  }
  CHECK(test.alive(kHa1));
}

TEST_CASE("probing by command: one a second, and the result") {
  Probed test;
  test.run_for(seconds(1));
  REQUIRE(test.command(kHa2, 5));
  CHECK_FALSE(test.command(kHa2, 5).has_value());
  test.run_for(seconds(7));
  const auto sent = test.solo.world.happened<SendProbe>(test.solo.node);
  REQUIRE(sent.size() == 5);
  CHECK(sent[4].first - sent[0].first == seconds(4));
  const auto done = test.solo.world.happened<ProbesDone>(test.solo.node);
  REQUIRE(done.size() == 1);
  CHECK(done[0].second.link == kHa2);
  CHECK(done[0].second.sent == 5);
  CHECK(done[0].second.answered == 5);
  CHECK(test.alive(kHa2));
}

TEST_CASE("a link whose commanded probes all died is dead until one is answered") {
  Probed test;
  test.run_for(seconds(1));
  test.ha1_answers = false;
  REQUIRE(test.command(kHa1, 2));
  test.run_for(seconds(3));
  CHECK(test.solo.world.happened<ProbesDone>(test.solo.node).at(0).second.answered == 0);
  CHECK_FALSE(test.alive(kHa1));
  test.ha1_answers = true;
  test.run_for(seconds(2));
  CHECK(test.alive(kHa1));
  const size_t sent = test.solo.world.happened<SendProbe>(test.solo.node).size();
  test.run_for(seconds(5));
  CHECK(test.solo.world.happened<SendProbe>(test.solo.node).size() == sent);
}

TEST_CASE("a link without carrier, or one that does not exist, is not probed") {
  Probed test;
  test.run_for(seconds(1));
  test.solo.world.call(test.solo.node, [](Member& m, Instant now) {
    return m.on_link(now, kHa1, {true, false, 0, "ha1"});
  });
  CHECK(contains(test.command(kHa1, 1).error().message, "ha1 has no carrier"));
  CHECK_FALSE(test.command(LinkIndex{2}, 1).has_value());
}

TEST_CASE("an answer to a probe never sent changes nothing") {
  Probed test(probing(0xb1, seconds(1), 3));
  test.run_for(seconds(1));
  test.ha1_answers = false;
  test.run_for(seconds(5));
  REQUIRE_FALSE(test.alive(kHa1));
  test.solo.world.call(test.solo.node,
                       [](Member& m, Instant now) { return m.on_probe_answer(now, kHa1, ~uint64_t{0}); });
  test.solo.world.call(test.solo.node, [](Member& m, Instant now) { return m.on_probe_answer(now, kHa1, 0); });
  CHECK_FALSE(test.alive(kHa1));
}
