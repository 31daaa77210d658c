// SPDX-License-Identifier: Apache-2.0
// Random lives of clusters of two and three members, by seed: lost and late frames, cuts (also one-way), stalls,
// crashes, power cuts, orderly stops, operator commands, failing monitors, changed settings.
//
// Safety, after each event: two members hold a lease for one VSD only if within the last hb-threshold × hb-interval the
// path between them was broken, or both processes were dead or stood still (after a split: nobody is there to speak).
// Liveness: once the faults end every VSD settles to one master within a bound and
// stays so.
//
//   sim_member            NSRP_SIM_SEEDS lives (default 500)
//   sim_member SEED       one life, told in full
#include <cstdio>
#include <cstdlib>
#include <random>

#include "sim/world.h"

namespace nsrp::sim {

namespace {

using namespace core;

struct Broken {
  std::string what;
};

class Life {
 public:
  explicit Life(uint64_t seed) : random_(seed) {
    build();
    world_.delay = [this](NodeId, NodeId, LinkIndex) { return delay(); };
    world_.lateness = [this](NodeId) { return lateness(); };
    world_.barrier = [this](NodeId) -> std::optional<Duration> {
      if (faults_ && chance(0.2)) return std::nullopt;
      return between(0, 300);
    };
    world_.after_event = [this] { check_safety(); };
  }

  void live() {
    for (NodeId id = 0; id < world_.size(); ++id) {
      if (chance(0.8)) world_.start(id);
      world_.run_for(between(0, chance(0.5) ? 50 : 2000));
    }
    const Instant end = world_.now() + seconds(15);
    while (world_.now() < end) {
      world_.run_for(between(1, 700));
      something_happens();
    }
    end_faults();
    world_.run_for(settle_bound());
    check_settled();
    world_.forget_history();
    world_.run_for(seconds(5));
    check_settled();
    check_quiet();
  }

  std::string trace(size_t lines) const { return world_.trace(lines); }

 private:
  bool chance(double p) { return std::uniform_real_distribution<>(0, 1)(random_) < p; }
  uint64_t pick(uint64_t n) { return std::uniform_int_distribution<uint64_t>(0, n - 1)(random_); }
  Duration between(int64_t low_ms, int64_t high_ms) {
    return std::chrono::microseconds(std::uniform_int_distribution<int64_t>(low_ms * 1000, high_ms * 1000)(random_));
  }

  void build() {
    const size_t members = chance(0.6) ? 2 : 3;
    const size_t groups = 1 + pick(2);
    interval_ = milliseconds(chance(0.5) ? 100 : 200);
    const uint8_t threshold = static_cast<uint8_t>(3 + pick(3));
    const bool sync = chance(0.5), always = chance(0.3);
    lossy_ = chance(0.5);
    for (size_t i = 0; i < members; ++i) {
      MemberSettings s{.unit = UnitId{0x0200000000b0 + i},
                       .hb_interval = interval_,
                       .hb_threshold = threshold,
                       .master_always_exist = always,
                       .sync_required = sync,
                       .vsds = {}};
      for (size_t g = 0; g < groups; ++g) {
        s.vsds.push_back({.id = VsdId{static_cast<uint8_t>(g)},
                          .priority = static_cast<uint8_t>(50 + 50 * pick(3)),
                          .preempt = chance(0.4),
                          .hold_down = seconds(pick(2))});
      }
      world_.add(s, between(-3'600'000, 3'600'000));
    }
  }

  // Usually well below half an interval, which is what the margins of the leases are made for.
  std::optional<Duration> delay() {
    if (faults_ && lossy_ && chance(0.08)) return std::nullopt;
    return chance(0.05) ? between(0, interval_.count() / 3) : between(0, 3);
  }
  Duration lateness() {
    if (faults_ && chance(0.01)) return between(0, 4 * interval_.count());
    return between(0, 2);
  }

  void something_happens() {
    const NodeId id = pick(world_.size());
    const NodeId other = (id + 1 + pick(world_.size() - 1)) % world_.size();
    const LinkIndex link{static_cast<uint8_t>(pick(World::kLinks))};
    switch (pick(16)) {
      case 0:
        return world_.cut(id, other, link);
      case 1:
        return world_.cut_all(id, other);
      case 2:
        world_.cut_all(id, other);
        return world_.cut_all(other, id);
      case 3:
      case 4:
        return world_.heal_all();
      case 5:
      case 6:
        return world_.paused(id) ? world_.resume(id, chance(0.5)) : pause(id);
      case 7:
        return world_.up(id) ? world_.kill(id) : world_.start(id);
      case 8:
        return world_.up(id) ? world_.power_off(id) : world_.start(id);
      case 9:
        return start_or_leave(id);
      case 10:
      case 11:
        return command(id);
      case 12:
        return world_.paused(id) ? void() : world_.set_health(id, chance(0.7));
      case 13:
        return world_.paused(id) ? void() : world_.set_in_sync(id, chance(0.7));
      case 14:
        return change_settings(id);
      default:
        return;
    }
  }

  void pause(NodeId id) {
    if (world_.up(id)) world_.pause(id);
  }

  void start_or_leave(NodeId id) {
    if (!world_.up(id)) return world_.start(id);
    if (!world_.paused(id)) world_.leave(id);
  }

  void command(NodeId id) {
    if (!world_.up(id) || world_.paused(id)) return;
    const VsdId vsd{static_cast<uint8_t>(pick(world_.settings(id).vsds.size()))};
    (void)world_.command(id, vsd, static_cast<ModeCommand>(pick(5)));  // refusals are fine
  }

  void change_settings(NodeId id) {
    if (!world_.up(id) || world_.paused(id)) return;
    MemberSettings s = world_.settings(id);
    VsdSettings& vsd = s.vsds[pick(s.vsds.size())];
    if (chance(0.3)) {
      s.hb_interval = milliseconds(chance(0.5) ? 100 : 200);
    } else if (chance(0.5)) {
      vsd.preempt = !vsd.preempt;
    } else {
      vsd.priority = static_cast<uint8_t>(50 + 50 * pick(3));
    }
    world_.set_settings(id, s);
  }

  void end_faults() {
    faults_ = false;
    world_.heal_all();
    for (NodeId id = 0; id < world_.size(); ++id) {
      if (world_.paused(id)) world_.resume(id, chance(0.5));
    }
    world_.run_for(Member::kHandoverLimit + milliseconds(100));  // who was leaving has left
    for (NodeId id = 0; id < world_.size(); ++id) {
      if (!world_.up(id)) world_.start(id);
      world_.set_health(id, true);
      world_.set_in_sync(id, true);
      for (const VsdSettings& vsd : world_.settings(id).vsds) {
        if (world_.state(id, vsd.id) != VsdState::kIneligible) continue;
        if (Status done = world_.command(id, vsd.id, ModeCommand::kBackup); !done) {
          throw Broken{"an ineligible member does not come back: " + done.error().message};
        }
      }
    }
  }

  Duration silence_limit() const {
    milliseconds longest{0};
    for (NodeId id = 0; id < world_.size(); ++id) {
      const MemberSettings& s = world_.settings(id);
      longest = std::max(longest, s.hb_interval * s.hb_threshold);
    }
    return longest;
  }

  // Initial hold, patience with a candidate that does not come, and the same once more; preempt hold-down; a barrier.
  Duration settle_bound() const { return silence_limit() * 2 * 5 + seconds(1) + Member::kHandoverLimit; }

  void check_safety() {
    for (NodeId a = 0; a < world_.size(); ++a) {
      for (NodeId b = a + 1; b < world_.size(); ++b) {
        for (const VsdSettings& vsd : world_.settings(a).vsds) {
          if (world_.forwards(a, vsd.id) && world_.forwards(b, vsd.id)) check_excuse(a, b, vsd.id);
        }
      }
    }
  }

  // HA links are one broadcast domain: of three members, each two hear each other or the network is broken.
  Instant whole_since() const {
    Instant since = Instant::min();
    for (NodeId a = 0; a < world_.size(); ++a) {
      for (NodeId b = 0; b < world_.size(); ++b) {
        if (a != b) since = std::max(since, world_.undisturbed_since(a, b));
      }
    }
    return since;
  }

  void check_excuse(NodeId a, NodeId b, VsdId vsd) {
    const Instant awake =
        std::min(world_.awake_since(a).value_or(world_.now()), world_.awake_since(b).value_or(world_.now()));
    if (world_.now() - std::max(whole_since(), awake) <= silence_limit()) return;
    throw Broken{"nodes " + std::to_string(a) + " and " + std::to_string(b) + " both hold a lease for VSD " +
                 std::to_string(vsd.value)};
  }

  void check_settled() {
    for (const VsdSettings& vsd : world_.settings(0).vsds) {
      size_t masters = 0, primary_backups = 0, backups = 0;
      for (NodeId id = 0; id < world_.size(); ++id) {
        const VsdState state = world_.state(id, vsd.id);
        masters += state == VsdState::kMaster;
        primary_backups += state == VsdState::kPrimaryBackup;
        backups += state == VsdState::kBackup;
        if ((state == VsdState::kMaster) != world_.forwards(id, vsd.id)) {
          throw Broken{"the lease of node " + std::to_string(id) + " does not match its state"};
        }
      }
      if (masters != 1 || primary_backups != 1 || backups != world_.size() - 2) {
        throw Broken{"VSD " + std::to_string(vsd.id.value) + " did not settle"};
      }
      check_preempted(vsd.id);
    }
  }

  void check_preempted(VsdId vsd) {
    const auto priority = [&](NodeId id) { return world_.settings(id).vsds[vsd.value].priority; };
    for (NodeId master = 0; master < world_.size(); ++master) {
      if (world_.state(master, vsd) != VsdState::kMaster) continue;
      for (NodeId id = 0; id < world_.size(); ++id) {
        if (world_.settings(id).vsds[vsd.value].preempt && priority(id) < priority(master)) {
          throw Broken{"node " + std::to_string(id) + " should have preempted"};
        }
      }
    }
  }

  void check_quiet() {
    for (const Happened& h : world_.history()) {
      const bool calm = std::holds_alternative<SendHeartbeat>(h.action) || std::holds_alternative<GrantLease>(h.action);
      if (!calm) throw Broken{"no peace after the faults: " + describe(h.action)};
    }
  }

  std::mt19937_64 random_;
  bool faults_ = true, lossy_ = false;
  milliseconds interval_{100};
  World world_;
};

bool lives_well(uint64_t seed, bool tell) {
  Life life(seed);
  try {
    life.live();
  } catch (const Broken& broken) {
    std::printf("%s\nseed %llu: %s\n", life.trace(tell ? 100'000 : 60).c_str(), static_cast<unsigned long long>(seed),
                broken.what.c_str());
    return false;
  }
  return true;
}

}  // namespace

}  // namespace nsrp::sim

int main(int argc, char** argv) {
  if (argc > 1) return nsrp::sim::lives_well(std::strtoull(argv[1], nullptr, 10), true) ? 0 : 1;
  const char* wish = std::getenv("NSRP_SIM_SEEDS");
  const uint64_t seeds = wish != nullptr ? std::strtoull(wish, nullptr, 10) : 500;
  uint64_t broken = 0;
  for (uint64_t seed = 1; seed <= seeds && broken < 3; ++seed) broken += !nsrp::sim::lives_well(seed, false);
  std::printf("%llu lives, %llu broken\n", static_cast<unsigned long long>(seeds),
              static_cast<unsigned long long>(broken));
  return broken == 0 ? 0 : 1;
}
