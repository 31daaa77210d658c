// SPDX-License-Identifier: Apache-2.0
// Random traffic, random chunking, disconnects and changes of mastership, by seed. When all is quiet, the member that
// does not master a VSD holds exactly the sessions its master holds, and all of its objects.
#include <doctest/doctest.h>

#include "world.h"

using namespace nsrp;
using namespace nsrp::rto;
using namespace nsrp::rto::test;

namespace {

constexpr uint8_t kVsds = 3;
constexpr size_t kKeys = 60;

VsdSet only(uint8_t vsd) {
  return VsdSet::from_bits(uint64_t{1} << vsd);
}

class Model {
 public:
  explicit Model(uint64_t seed) : world_(seed, seed % 3 == 0 ? 8 : 1000) {
    for (uint8_t vsd = 0; vsd < kVsds; ++vsd) become_master(vsd, world_.random(2));
  }

  void run() {
    for (int i = 0; i < 1500; ++i) {
      const size_t dice = world_.random(100);
      if (dice < 30) {
        traffic();
      } else if (dice == 30) {
        world_.disconnect();
      } else if (dice < 40 && !world_.connected()) {
        world_.connect();
      } else if (dice == 41) {
        hand_over();
      } else if (dice == 42) {
        crash_takeover();
      } else if (dice == 43) {
        split_and_meet();
      } else {
        world_.step();
      }
    }
    if (!world_.connected()) world_.connect();
    world_.settle();
    if (!world_.connected()) world_.connect();
    world_.settle();
  }

  void check() {
    REQUIRE(world_.connected());
    for (size_t i = 0; i < 2; ++i) {
      for (const std::string& reason : world_.side(i).closed) FAIL(reason);
      CHECK(world_.side(i).in_sync);
      CHECK(world_.side(i).mirror.view().pending == 0);
    }
    world_.audit();
    for (size_t i = 0; i < 2; ++i) CHECK(world_.side(i).mirror.view().audit_here.differing == 0);
    for (uint8_t vsd = 0; vsd < kVsds; ++vsd) {
      const auto truth = sessions_of(master_[vsd], vsd), copy = sessions_of(1 - master_[vsd], vsd);
      REQUIRE(truth.size() == copy.size());
      for (size_t i = 0; i < truth.size(); ++i) REQUIRE(same(truth[i], copy[i]));
      // The other member may know more objects, by itself, but none otherwise.
      for (const auto& [key, object] : world_.side(master_[vsd]).objects) {
        if (object.vsd.value == vsd) REQUIRE(world_.side(1 - master_[vsd]).objects[key] == object);
      }
    }
  }

 private:
  void become_master(uint8_t vsd, size_t index) {
    master_[vsd] = index;
    world_.master(1 - index, world_.side(1 - index).mastered - only(vsd));
    world_.master(index, world_.side(index).mastered | only(vsd));
  }

  void traffic_at(size_t index, uint8_t vsd) {
    // A flow's VSD never changes, so each has its own range of numbers.
    const auto number = static_cast<uint32_t>(vsd * 1000 + world_.random(kKeys));
    if (world_.random(3) == 0) {
      world_.end(index, {tuple(number), VsdId{vsd}});
    } else {
      world_.change(index, session(number, vsd, ++generation_));
    }
  }
  void learn_at(size_t index, uint8_t vsd) {
    const std::string key = std::to_string(vsd) + "/" + std::to_string(world_.random(12));
    if (world_.random(3) == 0) {
      world_.forget(index, key);
    } else {
      world_.learn(index, {VsdId{vsd}, key, std::to_string(++generation_)});
    }
  }
  void traffic() {
    const auto vsd = static_cast<uint8_t>(world_.random(kVsds));
    for (size_t i = 0; i <= world_.random(20); ++i) traffic_at(master_[vsd], vsd);
    learn_at(master_[vsd], vsd);
  }

  void hand_over() {
    const auto vsd = static_cast<uint8_t>(world_.random(kVsds));
    Side& master = world_.side(master_[vsd]);
    const uint64_t id = ++barrier_;
    world_.barrier(master_[vsd], id);
    while (master.barriers_done.empty() || master.barriers_done.back() != id) REQUIRE(world_.step());
    become_master(vsd, 1 - master_[vsd]);
  }

  void crash_takeover() {
    world_.disconnect();
    const auto vsd = static_cast<uint8_t>(world_.random(kVsds));
    become_master(vsd, 1 - master_[vsd]);
  }

  void split_and_meet() {
    world_.disconnect();
    const auto vsd = static_cast<uint8_t>(world_.random(kVsds));
    const size_t other = 1 - master_[vsd];
    world_.master(other, world_.side(other).mastered | only(vsd));
    for (int i = 0; i < 10; ++i) {
      traffic_at(0, vsd);
      traffic_at(1, vsd);
      learn_at(world_.random(2), vsd);
    }
    world_.connect();
    for (size_t steps = world_.random(60); steps > 0; --steps) world_.step();
    become_master(vsd, world_.random(2));
  }

  std::vector<Session> sessions_of(size_t index, uint8_t vsd) {
    std::vector<Session> sessions;
    for (const auto& [key, record] : world_.side(index).table) {
      if (record.session.session.vsd == vsd) sessions.push_back(record.session);
    }
    return sessions;
  }

  World world_;
  std::array<size_t, kVsds> master_{};
  uint32_t generation_ = 0;
  uint64_t barrier_ = 0;
};

}  // namespace

TEST_CASE("after any storm the backup's table equals the master's") {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    CAPTURE(seed);
    Model model(seed);
    model.run();
    model.check();
  }
}
