// SPDX-License-Identifier: Apache-2.0
#include "rto/mirror.h"

#include <doctest/doctest.h>

#include "pair.h"

using namespace nsrp;
using namespace nsrp::rto;
using namespace nsrp::rto::test;

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

TEST_CASE("a barrier of changes does not wait for the cold sync that is under way") {
  Pair pair(20000);
  pair.a.mirror.resync(ClassId::kSession);
  while (pair.b.in_sync) REQUIRE(pair.step());
  pair.change(0, session(50000));
  pair.barrier(0, 1, BarrierOf::kChanges);
  pair.barrier(0, 2);
  while (pair.a.barriers_done.empty()) REQUIRE(pair.step());
  CHECK(pair.a.barriers_done == std::vector<uint64_t>{1});
  CHECK(pair.b.table.contains(tuple(50000)));
  CHECK_FALSE(pair.b.in_sync);
  pair.settle();
  CHECK(pair.a.barriers_done == std::vector<uint64_t>{1, 2});
  CHECK(pair.b.in_sync);
}

TEST_CASE("a barrier of changes that were given up for a cold sync waits for that") {
  constexpr uint32_t kRoom = 50;
  World world(1, kRoom);
  world.master(0, kVsd0);
  world.connect();
  world.settle();
  world.change(0, session(1));
  world.barrier(0, 1, BarrierOf::kChanges);
  for (uint32_t i = 0; i < 2 * kRoom; ++i) world.change(0, session(100 + i));
  while (world.side(0).barriers_done.empty()) REQUIRE(world.step());
  CHECK(world.side(1).table.contains(tuple(1)));
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

TEST_CASE("a cold sync comes to its end although more sessions change meanwhile than may wait") {
  constexpr uint32_t kSessions = 2000, kMostWaiting = 100;
  World world(4, kMostWaiting);
  Side &a = world.side(0), &b = world.side(1);
  world.master(0, kVsd0);
  for (uint32_t i = 0; i < kSessions; ++i) world.change(0, session(i));
  world.settle();
  world.connect();
  world.settle();
  REQUIRE(b.table.size() == kSessions);
  const size_t before = a.reads_from_start;
  a.mirror.resync(ClassId::kSession);
  uint32_t changed = 0;
  for (bool began = false; !began || !b.in_sync;) {
    if (a.ring.empty() && changed < 3 * kMostWaiting) world.change(0, session(changed++ * 7 % kSessions, 0, 2));
    REQUIRE(world.step());
    began = began || !b.in_sync;
  }
  CHECK(changed > kMostWaiting);
  CHECK(a.reads_from_start == before + 1);
  world.settle();
  CHECK(b.table.size() == kSessions);
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
