// SPDX-License-Identifier: Apache-2.0
// A life, by seed. Times are measured in what they matter against: intervals and the silence after which a member is
// taken for dead.
#include <algorithm>

#include "sim/chance.h"
#include "sim/scenario.h"

namespace nsrp::sim {

using namespace core;

namespace {

constexpr std::array<int, 8> kIntervals{5, 20, 50, 100, 200, 500, 1000, 1000};

class Maker {
 public:
  explicit Maker(uint64_t seed) : dice_(seed) { made_.seed = seed; }

  Scenario make() {
    cluster();
    weather();
    for (NodeId id = 0; id < nodes_; ++id) {
      if (id == 0 || dice_.percent(85)) add({.at = at_, .what = What::kStart, .node = id});
      at_ += dice_.percent(50) ? dice_.up_to(interval_ / 2) : dice_.up_to(silence_ * 2);
    }
    const uint64_t rounds = nodes_ > 3 ? 1 + dice_.pick(2) : 3 + dice_.pick(slow_ ? 8 : 4);
    for (uint64_t round = 0; round < rounds; ++round) {
      const uint64_t faults = 3 + dice_.pick(12);
      for (uint64_t i = 0; i < faults; ++i) {
        at_ += gap();
        fault();
      }
      at_ += gap();
      calm();
    }
    return std::move(made_);
  }

 private:
  void cluster() {
    const uint64_t size = dice_.pick(100);
    nodes_ = size < 60 ? 2 : size < 90 ? 3 : 4 + dice_.pick(5);
    interval_ = milliseconds(kIntervals[dice_.pick(kIntervals.size())]);
    const uint8_t threshold = static_cast<uint8_t>(3 + dice_.pick(4));
    silence_ = interval_ * threshold;
    groups_ = dice_.percent(60) ? 1 : 1 + dice_.pick(3);
    slow_ = interval_ >= milliseconds(100);
    const uint64_t zone = dice_.pick(100);
    links_ = zone < 25 ? 0b1 : zone < 85 ? 0b11 : 0b111;
    if (dice_.percent(25)) links_.set(kControlInterface.value);
    if (dice_.percent(30)) links_.set(kSecondaryPath.value);
    MemberSettings common{.unit = {},
                          .hb_interval = std::chrono::duration_cast<milliseconds>(interval_),
                          .hb_threshold = threshold,
                          .init_hold = static_cast<uint8_t>(3 + dice_.pick(5)),
                          .announce_count = static_cast<uint8_t>(dice_.percent(80) ? 4 : 1),
                          .master_always_exist = dice_.percent(25),
                          .sync_required = dice_.percent(50)};
    if (slow_ && dice_.percent(30)) {
      common.probe =
          ProbeSettings{.interval = seconds(1 + dice_.pick(2)), .threshold = static_cast<uint8_t>(3 + dice_.pick(2))};
    }
    for (NodeId id = 0; id < nodes_; ++id) add_node(id, common);
  }

  void add_node(NodeId id, MemberSettings settings) {
    settings.unit = UnitId{0x0200000000b0 + id};
    for (uint64_t group = 0; group < groups_; ++group) {
      settings.vsds.push_back({.id = VsdId{static_cast<uint8_t>(group)},
                               .priority = priority(),
                               .preempt = dice_.percent(40),
                               .hold_down = seconds(slow_ && dice_.percent(30) ? dice_.pick(4) : 0)});
    }
    made_.nodes.push_back({.settings = std::move(settings),
                           .links = links_,
                           .clock_offset = dice_.between(-seconds(900), seconds(3600)),
                           .clock_ppm = static_cast<int64_t>(dice_.pick(401)) - 200,
                           .in_sync = dice_.percent(80)});
  }

  uint8_t priority() { return static_cast<uint8_t>(50 + 50 * dice_.pick(3)); }

  void weather() {
    Weather& w = made_.weather;
    w.delay = dice_.up_to(interval_ / (dice_.percent(80) ? 50 : 4));
    w.jitter = dice_.up_to(interval_ / (dice_.percent(80) ? 50 : 4));
    w.lateness = interval_ / 100;
    if (dice_.percent(30)) {
      w.late_permille = 20;
      w.late = interval_ * 2;
    }
    if (dice_.percent(40)) w.loss_permille = static_cast<unsigned>(10 + dice_.pick(150));
    if (dice_.percent(30)) w.duplicate_permille = 50;
    if (dice_.percent(30)) {
      w.stall_permille = 4;
      w.stall = interval_ * 4;
    }
  }

  Duration gap() {
    const uint64_t kind = dice_.pick(100);
    if (kind < 25) return dice_.up_to(interval_ / 5);
    if (kind < 55) return dice_.up_to(interval_);
    if (kind < 97) return dice_.up_to(kind < 80 ? silence_ : silence_ * 3);
    return dice_.up_to(silence_ * 10);
  }

  NodeId node() { return dice_.pick(nodes_); }
  NodeId other_than(NodeId id) { return (id + 1 + dice_.pick(nodes_ - 1)) % nodes_; }
  uint8_t group() { return static_cast<uint8_t>(dice_.pick(groups_)); }
  LinkSet some_links() {
    LinkSet some;
    for (size_t l = 0; l < some.size(); ++l) some[l] = links_[l] && dice_.percent(50);
    return some.none() ? links_ : some;
  }
  LinkSet one_link() {
    LinkSet one;
    while (one.none()) {
      const size_t l = dice_.pick(core::kLinks);
      one[l] = links_[l];
    }
    return one;
  }

  void add(Event event) { made_.events.push_back(event); }
  void add(What what, NodeId id, int64_t value = 0, uint8_t vsd = 0) {
    add({.at = at_, .what = what, .node = id, .vsd = vsd, .value = value});
  }
  void on_path(What what, NodeId from, NodeId to, LinkSet links, int64_t value = 0) {
    add({.at = at_, .what = what, .node = from, .other = to, .links = links, .value = value});
  }

  void fault() {
    const uint64_t kind = dice_.pick(100);
    if (kind < 45) {
      network_fault(kind);
    } else if (kind < 76) {
      life_fault(kind);
    } else {
      other_fault(kind);
    }
  }

  void network_fault(uint64_t kind) {
    const NodeId from = node(), to = other_than(from);
    if (kind < 8) return on_path(What::kCut, from, to, some_links());
    if (kind < 15) return on_path(What::kCut, from, to, LinkSet().set());
    if (kind < 21) {
      on_path(What::kCut, from, to, LinkSet().set());
      return on_path(What::kCut, to, from, LinkSet().set());
    }
    if (kind < 26) return on_path(What::kHeal, from, to, dice_.percent(50) ? LinkSet().set() : some_links());
    if (kind < 34) return add(What::kHealAll, 0);
    if (kind < 37) {
      return on_path(What::kClog, from, to, dice_.percent(60) ? LinkSet().set() : some_links(),
                     dice_.up_to(silence_ * 3).count() / 1000);
    }
    if (kind < 39) return on_path(What::kCutUnicast, from, to, some_links());
    if (kind < 43)
      return add({.at = at_,
                  .what = What::kCarrier,
                  .node = from,
                  .links = one_link(),
                  .value = static_cast<int64_t>(dice_.pick(2))});
    add({.at = at_, .what = What::kLoss, .value = static_cast<int64_t>(dice_.percent(50) ? 0 : dice_.pick(400))});
  }

  void life_fault(uint64_t kind) {
    const NodeId id = node();
    if (kind < 51) return add(What::kPause, id);
    if (kind < 54) return add(What::kStopMachine, id);
    if (kind < 61) return add(What::kResume, id, static_cast<int64_t>(dice_.pick(4)));
    if (kind < 67) return add(What::kStart, id);
    if (kind < 70) return add(What::kKill, id);
    if (kind < 73) return add(What::kPowerOff, id);
    add(What::kLeave, id);
  }

  void other_fault(uint64_t kind) {
    const NodeId id = node();
    if (kind < 83) return add(What::kCommand, id, static_cast<int64_t>(dice_.pick(5)), group());
    if (kind < 87) return add(What::kHealth, id, dice_.percent(60) ? 1 : 0, dice_.percent(60) ? kDevice : group());
    if (kind < 91) return add(What::kSync, id, dice_.percent(60) ? 1 : 0);
    if (kind < 92) return add({.at = at_, .what = What::kProbe, .node = id, .links = one_link(), .value = 2});
    if (kind < 94) return add(What::kBarrier, id, dice_.percent(30) ? -1 : static_cast<int64_t>(dice_.pick(1500)));
    if (kind < 96) return add(What::kPriority, id, priority(), group());
    if (kind < 98) return add(What::kPreempt, id, static_cast<int64_t>(dice_.pick(2)), group());
    if (kind < 99) return add(What::kThreshold, id, static_cast<int64_t>(3 + dice_.pick(4)));
    const int64_t ms = to_ms(interval_);
    add(What::kInterval, id, dice_.percent(50) ? ms * 2 : std::max<int64_t>(5, ms / 2));
  }

  // What lasts leaves each two members a link.
  void calm() {
    add(What::kCalm, 0);
    const NodeId id = node(), other = other_than(id);
    const uint64_t kind = dice_.pick(100);
    if (kind < 8) add(What::kPowerOff, id);
    if (kind >= 8 && kind < 16) add(What::kHealth, id, 0, kDevice);
    if (kind >= 16 && kind < 22) add(What::kHealth, id, 0, group());
    if (kind >= 22 && kind < 30) add(What::kSync, id, 0);
    if (kind >= 30 && kind < 36) add(What::kCommand, id, static_cast<int64_t>(ModeCommand::kIneligible), group());
    if (kind >= 36 && kind < 60 && links_.count() > 1) {
      LinkSet broken = some_links();
      if (broken == links_) broken = one_link();
      if (kind < 50) on_path(What::kCut, id, other, broken);
      if (kind >= 46 && kind < 54) on_path(What::kCut, other, id, broken);
      if (kind >= 54) on_path(What::kCutUnicast, id, other, broken);
    }
    add(What::kCheck, 0);
    at_ = Duration(0);
    if (!dice_.percent(50)) return;
    at_ = dice_.up_to(silence_);
    add({.at = at_, .what = What::kStrikeMaster, .vsd = group(), .value = static_cast<int64_t>(dice_.pick(4))});
    at_ = Duration(0);
  }

  Chance dice_;
  Scenario made_;
  uint64_t nodes_ = 2, groups_ = 1;
  LinkSet links_;
  Duration interval_{0}, silence_{0}, at_{0};
  bool slow_ = true;
};

}  // namespace

Scenario make_scenario(uint64_t seed) {
  return Maker(seed).make();
}

}  // namespace nsrp::sim
