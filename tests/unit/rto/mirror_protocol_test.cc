// SPDX-License-Identifier: Apache-2.0
// States, heartbeats, settings, and a peer that does not keep to the protocol.
#include "rto/mirror.h"

#include <doctest/doctest.h>

#include "pair.h"

using namespace nsrp;
using namespace nsrp::rto;
using namespace nsrp::rto::test;

namespace {

// One mirror whose peer is the test.
struct Lone {
  Mirror mirror{{.unit = UnitId{0xb}, .cluster = ClusterId{1}, .boot_epoch = 1, .sync = true}};
  Instant now{seconds(1)};

  Lone() { CHECK(mirror.on_connected(now).empty()); }
  MirrorActions hears(const std::vector<Message>& messages) {
    std::vector<uint8_t> bytes;
    for (const Message& message : messages) append(bytes, message);
    return mirror.on_bytes(now, bytes);
  }
  static std::string close_reason(const MirrorActions& actions) {
    const auto* close = actions.empty() ? nullptr : std::get_if<CloseChannel>(&actions.back());
    return close ? close->reason : "";
  }
};

const Hello kPeer{UnitId{0xa}, ClusterId{1}, 7, true};

}  // namespace

TEST_CASE("a mirror is undefined without sync, set while it waits, active when both are ready") {
  Mirror off({.unit = UnitId{1}, .cluster = ClusterId{1}, .boot_epoch = 1, .sync = false});
  CHECK(to_string(off.view().state) == "undefined");
  World world(1);
  CHECK(to_string(world.side(0).mirror.view().state) == "set");
  world.connect();
  world.settle();
  CHECK(to_string(world.side(0).mirror.view().state) == "active");
  CHECK(to_string(world.side(1).mirror.view().state) == "active");
  world.disconnect();
  CHECK(to_string(world.side(0).mirror.view().state) == "set");
}

TEST_CASE("RTO heartbeats keep an idle mirror active; without them it closes after threshold times interval") {
  Pair pair;
  for (int i = 0; i < 60; ++i) {
    pair.wait(seconds(4));
    pair.settle();
  }
  CHECK(pair.connected());
  Lone lone;
  CHECK(lone.hears({kPeer, ReceiverReady{}, GroupActive{}}).empty());
  CHECK(to_string(lone.mirror.view().state) == "active");
  CHECK(Lone::close_reason(lone.mirror.on_time(lone.now + milliseconds(63'999))).empty());
  CHECK(Lone::close_reason(lone.mirror.on_time(lone.now + seconds(64))).find("64 s") != std::string::npos);
  CHECK(to_string(lone.mirror.view().state) == "set");
}

TEST_CASE("a mirror's deadlines are those of its heartbeat, and none without a connection") {
  Lone lone;
  CHECK(lone.mirror.next_deadline() == lone.now + seconds(4));
  CHECK(lone.mirror.on_disconnected(lone.now).empty());
  CHECK(lone.mirror.next_deadline() == Instant::max());
}

TEST_CASE("a waiting receiver repeats r-ready") {
  Lone lone;
  CHECK(lone.hears({kPeer}).empty());
  CHECK(lone.mirror.on_writable(lone.now, 1000).size() == 1);
  CHECK_FALSE(lone.mirror.wants_write());
  CHECK(lone.mirror.on_time(lone.now + seconds(4)).empty());
  const MirrorActions actions = lone.mirror.on_writable(lone.now, 1000);
  REQUIRE(actions.size() == 1);
  std::vector<uint8_t> expected;
  append(expected, RtoHeartbeat{});
  append(expected, ReceiverReady{});
  CHECK(std::get<Send>(actions[0]).bytes == expected);
}

TEST_CASE("group-detach leads back to set, and the peer that returns gets everything again") {
  Lone lone;
  CHECK(lone.hears({kPeer, ReceiverReady{}, GroupActive{}, SyncBegin{0, {}}}).size() == 1);
  CHECK(std::get<InSync>(lone.hears({SyncEnd{0, 0}}).at(1)).value);
  CHECK_FALSE(std::get<InSync>(lone.hears({GroupDetach{}}).at(0)).value);
  CHECK(to_string(lone.mirror.view().state) == "set");
  CHECK(lone.hears({ReceiverReady{}, GroupActive{}}).empty());
  CHECK(to_string(lone.mirror.view().state) == "active");
}

TEST_CASE("turning sync off says group-detach and closes the channel") {
  Pair pair(1);
  MirrorActions actions = pair.b.mirror.on_settings(
      pair.now(), {.unit = UnitId{0xb}, .cluster = ClusterId{1}, .boot_epoch = 0xb, .sync = false});
  REQUIRE(actions.size() == 2);
  std::vector<uint8_t> detach;
  append(detach, GroupDetach{});
  CHECK(std::get<Send>(actions[0]).bytes == detach);
  pair.carry_out(1, std::move(actions));
  CHECK_FALSE(pair.b.in_sync);
  CHECK(to_string(pair.b.mirror.view().state) == "undefined");
}

TEST_CASE("with `session off` a member tells of no session and takes the peer's all the same") {
  Pair pair(5);
  pair.master(1, kVsd1);
  MirrorSettings settings{.unit = UnitId{0xa}, .cluster = ClusterId{1}, .boot_epoch = 0xa, .sync = true};
  settings.send_sessions = false;
  CHECK(pair.a.mirror.on_settings(pair.now(), settings).empty());
  pair.change(0, session(100));
  pair.change(1, session(200, 1));
  pair.settle();
  CHECK(pair.connected());
  CHECK_FALSE(pair.b.table.contains(tuple(100)));
  CHECK(pair.b.table.contains(tuple(3)));  // told before
  CHECK(pair.a.table.contains(tuple(200)));
  pair.disconnect();
  pair.connect();
  pair.settle();
  CHECK(pair.b.in_sync);
  CHECK(pair.b.table.contains(tuple(3)));
  settings.send_sessions = true;
  CHECK(pair.a.mirror.on_settings(pair.now(), settings).empty());
  pair.settle();
  CHECK(pair.b.table.contains(tuple(100)));
}

TEST_CASE("a member that asks for everything gets it, also of a VSD that the other masters only later") {
  Pair pair(5);
  pair.master(0, {});
  pair.a.table.clear();  // clear-on-inactive
  pair.carry_out(0, pair.a.mirror.fetch());
  CHECK_FALSE(pair.a.in_sync);
  pair.settle();
  CHECK(pair.a.table.empty());
  pair.master(1, kVsd0);
  pair.settle();
  CHECK(pair.a.table.size() == 5);
}

TEST_CASE("a peer with sync off stays connected and gets nothing") {
  Lone lone;
  Hello off = kPeer;
  off.sync = false;
  CHECK(lone.hears({off}).empty());
  CHECK(to_string(lone.mirror.view().state) == "set");
  lone.mirror.on_local_session(session(1));
  CHECK(lone.mirror.view().pending == 0);
}

TEST_CASE("a message out of its place closes the channel with a reason") {
  Lone lone;
  std::vector<Message> messages = {kPeer, ReceiverReady{}, GroupActive{}};
  std::string expected;
  SUBCASE("no hello first") {
    messages = {RtoHeartbeat{}};
    expected = "did not begin with an RTO hello";
  }
  SUBCASE("a second hello") {
    messages.emplace_back(kPeer);
    expected = "a second RTO hello";
  }
  SUBCASE("another cluster") {
    messages = {Hello{UnitId{0xa}, ClusterId{2}, 7, true}};
    expected = "the peer is in cluster 2, this device in 1";
  }
  SUBCASE("our own unit id") {
    messages = {Hello{UnitId{0xb}, ClusterId{1}, 7, true}};
    expected = "the unit id of this device";
  }
  SUBCASE("sessions before group-active") {
    messages = {kPeer, SessionPut{{session(1)}}};
    expected = "before group-active";
  }
  SUBCASE("the end of a sync that had no beginning") {
    messages.emplace_back(SyncEnd{0, 0});
    expected = "had not begun";
  }
  SUBCASE("a sync that lost sessions on the way") {
    messages.emplace_back(SyncBegin{2, kVsd0});
    messages.emplace_back(SyncEnd{2, 0});
    expected = "had 2 sessions, of which 0 arrived";
  }
  SUBCASE("an answer to a barrier that was not sent") {
    messages.emplace_back(BarrierAck{1});
    expected = "was not sent";
  }
  SUBCASE("barriers without end and answers not read") {
    for (uint64_t id = 0; id < 1000; ++id) messages.emplace_back(Barrier{id});
    expected = "does not read the answers";
  }
  const std::string reason = Lone::close_reason(lone.hears(messages));
  CHECK_MESSAGE(reason.find(expected) != std::string::npos, reason);
  CHECK(lone.hears({RtoHeartbeat{}}).empty());  // nothing more is taken from this channel
  CHECK_FALSE(lone.mirror.wants_write());
}

TEST_CASE("nothing of a malformed message is installed, and what came whole before it is") {
  Lone lone;
  CHECK(lone.hears({kPeer, ReceiverReady{}, GroupActive{}}).empty());
  std::vector<uint8_t> bytes;
  append(bytes, SessionPut{{session(1)}});
  append(bytes, SessionPut{{session(2), session(3, 64)}});
  const MirrorActions actions = lone.mirror.on_bytes(lone.now, bytes);
  REQUIRE(actions.size() == 2);
  CHECK(std::get<Install>(actions[0]).sessions.size() == 1);
  CHECK(std::holds_alternative<CloseChannel>(actions[1]));
}

TEST_CASE("a stale record is removed only of VSDs the sync covered and this device does not master") {
  Lone lone;
  CHECK(lone.mirror.set_mastered(kVsd1).empty());
  const MirrorActions actions =
      lone.hears({kPeer, ReceiverReady{}, GroupActive{}, SyncBegin{0, kVsd0 | kVsd1}, SyncEnd{0, 0}});
  REQUIRE(actions.size() == 3);
  CHECK(std::holds_alternative<SyncStarted>(actions[0]));
  CHECK(std::get<SyncFinished>(actions[1]).vsds == kVsd0);
}
