// SPDX-License-Identifier: Apache-2.0
#include "rto/object_stream.h"

#include <doctest/doctest.h>

#include "world.h"

using namespace nsrp;
using namespace nsrp::rto;
using namespace nsrp::rto::test;

namespace {

constexpr VsdSet kVsd0 = VsdSet::from_bits(1);

Object object(const std::string& key, const std::string& value, uint8_t vsd = 0) {
  return {VsdId{vsd}, key, value};
}

struct Pair : World {
  Pair() : World(1) {
    master(0, kVsd0);
    learn(0, object("old", "1"));
    connect();
    settle();
  }
  Side &a = side(0), &b = side(1);
  ObjectView view(size_t index) { return side(index).mirror.view().objects.at(0); }
};

}  // namespace

TEST_CASE("the peer has the objects there were before it came, and those that came since") {
  Pair pair;
  CHECK(pair.b.objects.at("old").value == "1");
  pair.learn(0, object("new", "2"));
  pair.learn(0, object("old", "3"));
  pair.settle();
  CHECK(pair.b.objects.at("new").value == "2");
  CHECK(pair.b.objects.at("old").value == "3");
  CHECK(pair.view(1).in_sync);
  CHECK(pair.view(1).held == 2);
  CHECK(pair.view(0).sent == 3);
  CHECK(pair.view(0).name == "test");
}

TEST_CASE("an object that has gone goes at the peer, also when it went while nobody listened") {
  Pair pair;
  pair.learn(0, object("second", "1"));
  pair.settle();
  pair.forget(0, "old");
  pair.settle();
  CHECK_FALSE(pair.b.objects.contains("old"));
  pair.disconnect();
  pair.forget(0, "second");
  pair.connect();
  pair.settle();
  CHECK(pair.b.objects.empty());
}

TEST_CASE("what comes and goes before it is told is told once, as it is then") {
  Pair pair;
  for (int i = 0; i < 10; ++i) {
    pair.learn(0, object("busy", std::to_string(i)));
    pair.forget(0, "busy");
  }
  pair.learn(0, object("busy", "last"));
  pair.settle();
  CHECK(pair.view(0).sent == 2);
  CHECK(pair.b.objects.at("busy").value == "last");
}

TEST_CASE("objects of VSDs that are mastered elsewhere are neither told nor taken") {
  Pair pair;
  pair.learn(0, object("not mine", "1", 1));
  pair.learn(1, object("old", "mine"));
  pair.settle();
  CHECK_FALSE(pair.b.objects.contains("not mine"));
  pair.disconnect();
  pair.master(1, kVsd0);  // two masters
  pair.connect();
  pair.settle();
  CHECK(pair.b.objects.at("old").value == "mine");
  CHECK(pair.view(1).refused == 1);
}

TEST_CASE("after a takeover the new master's objects count, with what it had received") {
  Pair pair;
  pair.master(0, {});
  pair.master(1, kVsd0);
  pair.learn(1, object("old", "changed"));
  pair.settle();
  CHECK(pair.a.objects.at("old").value == "changed");
  pair.forget(1, "old");
  pair.settle();
  CHECK(pair.a.objects.empty());
}

TEST_CASE("what was refused while two were master is asked for by the one that is no longer") {
  Pair pair;
  pair.disconnect();
  pair.master(1, kVsd0);
  pair.learn(1, object("old", "other"));
  pair.connect();
  pair.settle();
  CHECK(pair.b.objects.at("old").value == "other");
  pair.master(1, {});
  pair.settle();
  CHECK(pair.b.objects.at("old").value == "1");
  CHECK(pair.b.in_sync);
}

TEST_CASE("a class has its limit, on both sides") {
  Pair pair;
  for (int i = 0; i < 100; ++i) pair.learn(0, object(std::to_string(i), "1"));
  pair.settle();
  CHECK(pair.view(0).here == kTestClass.max_objects);
  CHECK(pair.view(0).refused > 0);
  CHECK(pair.b.objects.size() == kTestClass.max_objects);
}

TEST_CASE("a class can be sent again by itself") {
  Pair pair;
  pair.b.objects.clear();
  const uint64_t sessions_read = pair.a.reads_from_start;
  pair.a.mirror.resync(kTestClass.id);
  pair.settle();
  CHECK(pair.b.objects.size() == 1);
  CHECK(pair.a.reads_from_start == sessions_read);
}

TEST_CASE("nothing is sent that the peer has no class for") {
  Mirror mirror({.unit = UnitId{1}, .cluster = ClusterId{1}, .boot_epoch = 1, .sync = true}, {kTestClass});
  CHECK(mirror.set_mastered(kVsd0).empty());
  mirror.on_local_object(kTestClass.id, object("a", "1"));
  CHECK(mirror.on_connected(Instant{}).empty());
  std::vector<uint8_t> bytes;
  append(bytes, Hello{UnitId{2}, ClusterId{1}, 7, true, {}});
  append(bytes, ReceiverReady{});
  CHECK(mirror.on_bytes(Instant{}, bytes).empty());
  REQUIRE(mirror.wants_write());
  while (mirror.wants_write()) {
    for (const MirrorAction& action : mirror.on_writable(Instant{}, 1000)) {
      if (std::holds_alternative<ReadSessions>(action)) {
        mirror.on_snapshot_begin(0);
        mirror.on_snapshot_end();
      }
    }
  }
  CHECK(mirror.view().objects.at(0).sent == 0);
}

TEST_CASE("a malformed object, an unknown class and an end without a beginning close the channel") {
  Mirror mirror({.unit = UnitId{1}, .cluster = ClusterId{1}, .boot_epoch = 1, .sync = true}, {kTestClass});
  CHECK(mirror.on_connected(Instant{}).empty());
  Message message = ObjectSyncEnd{kTestClass.id};
  std::string expected = "had not begun";
  SUBCASE("malformed") {
    message = ObjectPut{kTestClass.id, {object("a", "good"), object("b", "bad")}};
    expected = "a malformed object of class test";
  }
  SUBCASE("unknown") {
    message = ObjectSync{ClassId{9}, {}};
    expected = "of a class this device does not have";
  }
  SUBCASE("no beginning") {}
  std::vector<uint8_t> bytes;
  append(bytes, Hello{UnitId{2}, ClusterId{1}, 7, true, {}});
  append(bytes, GroupActive{});
  append(bytes, message);
  const MirrorActions actions = mirror.on_bytes(Instant{}, bytes);
  REQUIRE(actions.size() == 1);
  CHECK(std::get<CloseChannel>(actions[0]).reason.find(expected) != std::string::npos);
}
