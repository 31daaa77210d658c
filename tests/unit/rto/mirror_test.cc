// SPDX-License-Identifier: Apache-2.0
#include "rto/mirror.h"

#include <doctest/doctest.h>

#include "world.h"

using namespace nsrp;
using namespace nsrp::rto;
using namespace nsrp::rto::test;

namespace {

constexpr VsdSet kVsd0 = VsdSet::from_bits(1), kVsd1 = VsdSet::from_bits(2);

// Side 0 masters VSD 0, side 1 nothing; connected and quiet.
struct Pair : World {
  explicit Pair(uint32_t sessions = 0) : World(1) {
    master(0, kVsd0);
    for (uint32_t i = 0; i < sessions; ++i) change(0, session(i));
    settle();
    connect();
    settle();
  }
  Side &a = side(0), &b = side(1);
};

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

TEST_CASE("a connection begins with a cold sync, after which both members are in sync") {
  Pair pair(5000);
  CHECK(pair.b.table.size() == 5000);
  CHECK(pair.b.in_sync);
  CHECK(pair.a.in_sync);  // its peer masters nothing: an empty sync
  CHECK(pair.b.mirror.view().cold_sync_total == 5000);
  CHECK(pair.b.mirror.view().cold_sync_received == 5000);
  pair.disconnect();
  CHECK_FALSE(pair.b.in_sync);
  CHECK_FALSE(pair.a.in_sync);
}

TEST_CASE("a session that changes during a cold sync is at no moment missing at the receiver") {
  Pair pair(800);
  for (int syncs = 0; syncs < 20; ++syncs) {
    pair.a.mirror.resync(ClassId::kSession);
    for (bool began = false; !began || !pair.b.in_sync;) {
      pair.change(0, session(static_cast<uint32_t>(pair.random(800)), 0, 2));
      REQUIRE(pair.step());
      REQUIRE(pair.b.table.size() == 800);
      began = began || !pair.b.in_sync;
    }
  }
}

TEST_CASE("changes and ends reach the peer") {
  Pair pair(3);
  pair.change(0, session(9));
  pair.change(0, session(1, 0, 2));
  pair.end(0, {tuple(2), VsdId{0}});
  pair.settle();
  CHECK(pair.b.table.size() == 3);
  CHECK(same(pair.b.table.at(tuple(1)).session, session(1, 0, 2)));
  CHECK_FALSE(pair.b.table.contains(tuple(2)));
}

TEST_CASE("changes of a VSD mastered elsewhere are not sent") {
  Pair pair;
  pair.change(0, session(1, 1));
  pair.change(1, session(2, 0));
  pair.settle();
  CHECK(pair.b.table.size() == 1);
  CHECK(pair.a.table.size() == 1);
}

TEST_CASE("what ended while the channel was down is gone after the next cold sync") {
  Pair pair(10);
  pair.disconnect();
  for (uint32_t i = 0; i < 4; ++i) pair.end(0, {tuple(i), VsdId{0}});
  pair.change(0, session(77));
  pair.settle();
  CHECK(pair.b.table.size() == 10);
  pair.connect();
  pair.settle();
  CHECK(pair.b.table.size() == 7);
  CHECK(pair.b.table.contains(tuple(77)));
}

TEST_CASE("a member that comes back empty takes nothing away from the one that took over") {
  Pair pair(10);
  pair.disconnect();
  pair.a.table.clear();
  pair.master(0, {});
  pair.connect();  // nobody masters the VSD yet
  pair.settle();
  CHECK(pair.b.table.size() == 10);
  pair.master(1, kVsd0);
  pair.settle();
  CHECK(pair.a.table.size() == 10);  // with the idle sessions that had come from the peer
  CHECK(pair.a.in_sync);
}

TEST_CASE("a handover with a barrier copies nothing again") {
  Pair pair(100);
  pair.barrier(0, 42);
  CHECK(pair.a.barriers_done.empty());
  pair.settle();
  CHECK(pair.a.barriers_done == std::vector<uint64_t>{42});
  const uint64_t before = pair.a.reads_from_start + pair.b.reads_from_start;
  pair.master(0, {});
  pair.master(1, kVsd0);
  pair.change(1, session(500));
  pair.settle();
  CHECK(pair.a.reads_from_start + pair.b.reads_from_start == before);
  CHECK(pair.a.table.size() == 101);
  CHECK(pair.a.in_sync);
}

TEST_CASE("a barrier is done when everything before it is installed at the peer") {
  Pair pair;
  for (uint32_t i = 0; i < 3000; ++i) pair.change(0, session(i));
  pair.barrier(0, 1);
  while (pair.a.barriers_done.empty()) {
    REQUIRE(pair.step());
    pair.change(0, session(5000 + static_cast<uint32_t>(pair.random(100))));  // later ones do not hold it up
  }
  for (uint32_t i = 0; i < 3000; ++i) REQUIRE(pair.b.table.contains(tuple(i)));
}

TEST_CASE("a barrier is done at once when no peer is active, and when the peer goes away") {
  World world(1);
  world.barrier(0, 7);
  CHECK(world.side(0).barriers_done == std::vector<uint64_t>{7});
  Pair pair(100);
  pair.barrier(0, 8);
  CHECK(pair.a.barriers_done.empty());
  pair.disconnect();
  CHECK(pair.a.barriers_done == std::vector<uint64_t>{8});
}

TEST_CASE("what the master recorded just before it lost the VSD still arrives") {
  Pair pair(2);
  pair.change(0, session(50));
  pair.change(0, session(1, 0, 9));
  pair.master(0, {});
  pair.master(1, kVsd0);
  pair.change(1, session(1, 0, 10));
  pair.settle();
  CHECK(pair.b.table.contains(tuple(50)));
  CHECK(same(pair.b.table.at(tuple(1)).session, session(1, 0, 10)));
  CHECK(same(pair.a.table.at(tuple(1)).session, session(1, 0, 10)));
}

TEST_CASE("an end that comes late does not end a session of the new master") {
  Pair pair(2);
  pair.end(0, {tuple(1), VsdId{0}});
  pair.master(0, {});
  pair.master(1, kVsd0);
  pair.settle();
  CHECK(pair.b.table.contains(tuple(1)));
  CHECK(pair.b.mirror.view().refused == 1);
  CHECK(pair.a.table.contains(tuple(1)));  // told again by the one that knows
}

TEST_CASE("after two masters met, the one that loses takes the table of the survivor") {
  Pair pair(5);
  pair.disconnect();
  pair.master(1, kVsd0);
  pair.change(1, session(100));
  pair.change(0, session(200));
  pair.connect();
  pair.settle();
  CHECK_FALSE(pair.a.table.contains(tuple(100)));
  CHECK(pair.a.mirror.view().refused == 6);
  pair.master(0, {});
  CHECK_FALSE(pair.a.in_sync);
  pair.settle();
  CHECK(pair.a.in_sync);
  CHECK(pair.a.table.contains(tuple(100)));
  CHECK_FALSE(pair.a.table.contains(tuple(200)));
}

TEST_CASE("what waits is bounded: too many changes become one new cold sync") {
  World world(3, 50);
  Side &a = world.side(0), &b = world.side(1);
  world.master(0, kVsd0);
  world.connect();
  world.settle();
  const size_t before = a.reads_from_start;
  for (uint32_t i = 0; i < 500; ++i) world.change(0, session(i));
  a.drain_ring();
  CHECK(a.mirror.view().pending <= 51);
  world.settle();
  CHECK(a.reads_from_start > before);
  CHECK(b.table.size() == 500);
  CHECK(b.in_sync);
}

TEST_CASE("no call hands out more bytes than there is room for, and the table is read in chunks") {
  Pair pair(9000);
  CHECK(pair.a.largest_send <= World::kPipeBytes);
  CHECK(pair.b.table.size() == 9000);
  Mirror& mirror = pair.a.mirror;
  mirror.resync(ClassId::kSession);
  const MirrorActions actions = mirror.on_writable(pair.now(), 0);
  CHECK(actions.empty());  // no room: nothing is read either
}

TEST_CASE("resync sends everything again") {
  Pair pair(20);
  pair.b.table.erase(tuple(3));
  pair.a.mirror.resync(ClassId::kSession);
  pair.settle();
  CHECK(pair.b.table.size() == 20);
  CHECK(pair.b.in_sync);
}

TEST_CASE("a receiver short of room is not in sync, and gets everything again once it has room") {
  Pair pair;
  pair.b.table_limit = 5;
  for (uint32_t i = 0; i < 8; ++i) pair.change(0, session(i));
  pair.settle();
  CHECK(pair.b.mirror.view().failed == 3);
  CHECK(pair.b.mirror.view().missing == 3);
  CHECK_FALSE(pair.b.in_sync);
  const auto room = [&](uint64_t free) {
    pair.carry_out(1, pair.b.mirror.on_room(pair.now(), free));
    pair.settle();
  };
  room(2);  // not enough
  CHECK(pair.a.reads_from_start == 1);
  pair.b.table_limit = 7;
  room(3);  // thought to be enough, and is not
  CHECK(pair.a.reads_from_start == 2);
  CHECK(pair.b.mirror.view().missing == 1);
  CHECK_FALSE(pair.b.in_sync);
  pair.b.table_limit = 100;
  room(90);  // too soon
  CHECK(pair.a.reads_from_start == 2);
  pair.wait(Mirror::kFirstRepairPause);
  room(90);
  CHECK(pair.b.in_sync);
  CHECK(pair.b.mirror.view().missing == 0);
  CHECK(pair.b.table.size() == 8);
}

TEST_CASE("a receiver that lost a copy it had is not in sync") {
  Pair pair(3);
  pair.carry_out(1, pair.b.mirror.on_given_up(1));
  CHECK_FALSE(pair.b.in_sync);
  pair.carry_out(1, pair.b.mirror.on_room(pair.now(), 1));
  pair.settle();
  CHECK(pair.b.in_sync);
}

TEST_CASE("a receiver is not in sync after a cold sync from which records were withheld") {
  World world(1);
  Session broken = session(1);
  broken.session.tcp_state = 99;
  world.master(0, kVsd0);
  world.change(0, broken);
  world.change(0, session(2));
  world.settle();
  world.connect();
  world.settle();
  CHECK(world.side(1).mirror.view().missing == 1);
  CHECK_FALSE(world.side(1).in_sync);
  world.end(0, {tuple(1), VsdId{0}});
  world.carry_out(1, world.side(1).mirror.on_room(world.now(), 100));
  world.settle();
  CHECK(world.side(1).in_sync);
}

TEST_CASE("a record no decoder would take is counted and does not break the channel") {
  Pair pair;
  Session broken = session(1);
  broken.session.reply.family = 0;
  pair.change(0, broken);
  pair.change(0, session(2));
  pair.settle();
  CHECK(pair.a.mirror.view().unsendable == 1);
  CHECK(pair.b.table.contains(tuple(2)));
  pair.a.mirror.resync(ClassId::kSession);
  pair.settle();
  CHECK(pair.connected());
  CHECK(pair.b.table.size() == 1);
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
