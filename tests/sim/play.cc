// SPDX-License-Identifier: Apache-2.0
#include "sim/play.h"

#include <algorithm>

#include "sim/chance.h"
#include "sim/settled.h"

namespace nsrp::sim {

using namespace core;

namespace {

constexpr Duration kUs = std::chrono::microseconds(1);

class Player {
 public:
  Player(const Scenario& scenario, const PlayOptions& options)
      : scenario_(scenario),
        weather_(scenario.weather),
        safety_(prepare(scenario, options)),
        settled_(world_, safety_) {
    barriers_.fill(milliseconds(20));
    world_.keep_history(options.trace_lines > 0);
    world_.transmit = [this](NodeId from, NodeId to, LinkIndex link, uint64_t salt) {
      return transmit(from, to, link, salt);
    };
    world_.lateness = [this](NodeId id) { return lateness(id); };
    world_.barrier = [this](NodeId id) { return barriers_[id]; };
    world_.acted = [this](NodeId id, const Actions& actions) { safety_.acted(id, actions); };
    world_.heard = [this](NodeId to, const Frame& frame) { safety_.heard(to, frame); };
    world_.took = [this](NodeId id, VsdId vsd) { safety_.took(id, vsd); };
    world_.after_event = [this] { safety_.stepped(); };
  }

  void play() {
    Instant begun = world_.now();
    for (const Event& event : scenario_.events) {
      world_.run_until(std::max(world_.now(), begun + event.at));
      apply(event);
      safety_.stepped();
      if (event.what == What::kCheck || event.what == What::kStrikeMaster) begun = world_.now();
    }
  }

  World& world() { return world_; }
  const Tally& tally() const { return safety_.tally(); }

 private:
  World& prepare(const Scenario& scenario, const PlayOptions& options) {
    for (const NodeSetup& setup : scenario.nodes) {
      const NodeId id = world_.add(setup.settings, Clock(setup.clock_offset, setup.clock_ppm));
      world_.set_links(id, setup.links);
      world_.set_in_sync(id, setup.in_sync);
      if (options.records)
        world_.record(id, "node " + std::to_string(id) + " of seed " + std::to_string(scenario.seed));
    }
    return world_;
  }

  Chance chance(uint64_t a, uint64_t b) const { return Chance(mix(scenario_.seed ^ mix(a)) ^ mix(b)); }

  Copies transmit(NodeId from, NodeId to, LinkIndex link, uint64_t salt) const {
    Chance dice = chance((from * kMaxNodes + to) * core::kLinks + link.value, salt);
    if (dice.permille(weather_.loss_permille)) return {};
    Copies all{.count = static_cast<uint8_t>(dice.permille(weather_.duplicate_permille) ? 2 : 1), .takes = {}};
    for (uint8_t i = 0; i < all.count; ++i) {
      all.takes[i] = weather_.delay + dice.up_to(weather_.jitter);
      if (dice.permille(weather_.late_permille)) all.takes[i] += dice.up_to(weather_.late);
    }
    return all;
  }

  Duration lateness(NodeId id) const {
    const Duration deadline = world_.now().time_since_epoch();
    Chance dice = chance(1000 + id, static_cast<uint64_t>(deadline.count()));
    return dice.permille(weather_.stall_permille) ? dice.up_to(weather_.stall) : dice.up_to(weather_.lateness);
  }

  template <class Do>
  void each_link(const Event& e, Do&& action) {
    for (uint8_t l = 0; l < core::kLinks; ++l) {
      if (e.links[l]) action(LinkIndex{l});
    }
  }

  void apply(const Event& e) {
    safety_.touched(e.node);
    if (e.what == What::kSync) safety_.sync_changed(e.node);
    switch (e.what) {
      case What::kStart:
      case What::kKill:
      case What::kPowerOff:
      case What::kPause:
      case What::kStopMachine:
      case What::kResume:
      case What::kLeave:
        return life(e);
      case What::kCut:
      case What::kCutUnicast:
      case What::kHeal:
      case What::kHealAll:
      case What::kClog:
      case What::kCarrier:
      case What::kLoss:
        return network(e);
      case What::kInterval:
      case What::kThreshold:
      case What::kPriority:
      case What::kPreempt:
        return settings(e);
      case What::kCommand:
        (void)world_.command(e.node, VsdId{e.vsd}, static_cast<ModeCommand>(e.value));  // it may well be refused
        return;
      case What::kHealth:
        return world_.set_health(e.node, e.value != 0, e.vsd == kDevice ? std::nullopt : std::optional(VsdId{e.vsd}));
      case What::kSync:
        return world_.set_in_sync(e.node, e.value != 0, world_.settings((e.node + 1) % world_.size()).unit);
      case What::kProbe:
        each_link(e, [&](LinkIndex link) { (void)world_.probe(e.node, link, static_cast<uint8_t>(e.value)); });
        probing_until_ = world_.now() + seconds(e.value + 1);
        return;
      case What::kBarrier:
        barriers_[e.node] = e.value < 0 ? std::nullopt : std::optional<Duration>(milliseconds(e.value));
        return;
      case What::kCalm:
        return calm();
      case What::kCheck:
        return check();
      case What::kStrikeMaster:
        return strike(e);
    }
  }

  void life(const Event& e) {
    const NodeId id = e.node;
    if (e.what == What::kStart && !world_.up(id)) return start(id);
    if (e.what == What::kKill) return world_.kill(id);
    if (e.what == What::kPowerOff) return world_.power_off(id);
    if (e.what == What::kPause && world_.awake(id)) return world_.pause(id);
    if (e.what == What::kStopMachine && world_.awake(id)) {
      return stop_machine(id);
    }
    if (e.what == What::kResume && world_.up(id) && world_.paused(id)) return resume(id, e.value);
    if (e.what == What::kLeave && world_.awake(id)) {
      leaving_[id] = true;
      world_.leave(id);
    }
  }

  void start(NodeId id) {
    stopped_[id] = leaving_[id] = false;
    take_pace(id);
    safety_.restarted(id);
    world_.start(id);
  }

  // The pace is the cluster's, not the member's: who was away when it was changed learns of it before it takes part.
  void take_pace(NodeId id) {
    for (NodeId other = 0; other < world_.size(); ++other) {
      if (other == id || !world_.up(other)) continue;
      MemberSettings s = world_.settings(id);
      s.hb_interval = std::max(world_.settings(other).hb_interval, s.hb_interval);
      s.hb_threshold = std::max(world_.settings(other).hb_threshold, s.hb_threshold);
      set_settings(id, s);
    }
  }

  void stop_machine(NodeId id) {
    stopped_[id] = true;
    safety_.stopped(id);
    world_.stop_machine(id);
  }

  void resume(NodeId id, int64_t how) {
    const bool machine = std::exchange(stopped_[id], false);
    const bool halted = machine && (how & 2) != 0;
    if (machine) world_.go_on(id, halted);
    if (machine) safety_.resumed(id, halted);
    safety_.awake(id);
    world_.resume(id, (how & 1) != 0);
  }

  void network(const Event& e) {
    if (e.what == What::kHealAll) return world_.heal_all();
    if (e.what == What::kLoss) {
      weather_.loss_permille = static_cast<unsigned>(e.value);
      return;
    }
    each_link(e, [&](LinkIndex link) {
      if (e.what == What::kCut) world_.cut(e.node, e.other, link);
      if (e.what == What::kCutUnicast) world_.cut_unicast(e.node, e.other, link);
      if (e.what == What::kHeal) world_.heal(e.node, e.other, link);
      if (e.what == What::kClog) world_.clog(e.node, e.other, link, world_.now() + e.value * kUs);
      if (e.what == What::kCarrier) world_.set_carrier(e.node, link, e.value != 0);
    });
  }

  void settings(const Event& e) {
    if (!world_.up(e.node)) return;
    MemberSettings s = world_.settings(e.node);
    if (e.what == What::kInterval) s.hb_interval = milliseconds(e.value);
    if (e.what == What::kThreshold) s.hb_threshold = static_cast<uint8_t>(e.value);
    for (VsdSettings& vsd : s.vsds) {
      if (vsd.id.value != e.vsd) continue;
      if (e.what == What::kPriority) vsd.priority = static_cast<uint8_t>(e.value);
      if (e.what == What::kPreempt) vsd.preempt = e.value != 0;
    }
    set_settings(e.node, s);
  }

  void set_settings(NodeId id, const MemberSettings& s) {
    world_.set_settings(id, s);
    safety_.pace_changed(id);
  }

  void calm() {
    weather_.loss_permille = weather_.duplicate_permille = weather_.late_permille = weather_.stall_permille = 0;
    world_.heal_all();
    for (NodeId id = 0; id < world_.size(); ++id) {
      barriers_[id] = milliseconds(20);
      for (uint8_t l = 0; l < core::kLinks; ++l) world_.set_carrier(id, LinkIndex{l}, true);
      if (world_.up(id) && world_.paused(id)) resume(id, 1);
    }
    world_.run_until_true(Member::kHandoverLimit * 2 + milliseconds(200), [this] {  // who was leaving has left
      for (NodeId id = 0; id < world_.size(); ++id) {
        if (leaving_[id] && world_.up(id)) return false;
      }
      return true;
    });
    for (NodeId id = 0; id < world_.size(); ++id) {
      MemberSettings s = world_.settings(id);
      s.hb_interval = world_.settings(0).hb_interval;
      s.hb_threshold = world_.settings(0).hb_threshold;
      set_settings(id, s);
    }
    for (NodeId id = 0; id < world_.size(); ++id) {
      if (!world_.up(id)) start(id);
      const MemberSettings& s = world_.settings(id);
      world_.set_health(id, true);
      for (const VsdSettings& vsd : s.vsds) {
        world_.set_health(id, true, vsd.id);
        if (safety_.state(id, vsd.id) != VsdState::kIneligible) continue;
        if (Status done = world_.command(id, vsd.id, ModeCommand::kBackup); !done) {
          throw Broken("an ineligible member does not come back: " + done.error().message);
        }
      }
      world_.set_in_sync(id, true, world_.settings((id + 1) % world_.size()).unit);
      safety_.touched(id);
      safety_.sync_changed(id);
    }
  }

  void check() {
    if (weather_.loss_permille > 0 || !settled_.judgeable()) return;
    world_.run_until(std::max(world_.now() + settled_.bound(), probing_until_));
    safety_.pace_settled();
    settled_.check();
    watch_for_peace();
    settled_.check();
  }

  // No eternal flapping: from here on nothing happens that is not a heartbeat.
  void watch_for_peace() {
    const auto acted = std::exchange(world_.acted, [this](NodeId id, const Actions& actions) {
      safety_.acted(id, actions);
      for (const Action& action : actions) {
        const bool calm = std::holds_alternative<SendHeartbeat>(action) || std::holds_alternative<GrantLease>(action) ||
                          std::holds_alternative<SendProbe>(action) || std::holds_alternative<ProbesDone>(action);
        if (!calm) throw Broken("no peace after the faults: node " + std::to_string(id) + ": " + describe(action));
      }
    });
    const MemberSettings& s = world_.settings(0);
    world_.run_for(s.hb_interval * s.hb_threshold * 4);
    world_.acted = acted;
  }

  void strike(const Event& e) {
    const VsdId vsd{e.vsd};
    const std::optional<NodeId> old = settled_.master(vsd);
    if (weather_.loss_permille > 0 || !settled_.judgeable() || !old || !settled_.is_able(*old, vsd)) return;
    size_t others = settled_.able(vsd) - 1;
    if (others == 0) return;
    if (e.value == 0) world_.kill(*old);
    if (e.value == 1) world_.power_off(*old);
    if (e.value == 2) world_.pause(*old);
    if (e.value == 3) stop_machine(*old);
    const Duration limit = settled_.takeover_bound() + weather_.delay + weather_.jitter + weather_.lateness;
    const bool done = world_.run_until_true(limit, [&] {
      const std::optional<NodeId> next = settled_.master(vsd);
      return next && next != old;
    });
    if (!done) throw Broken("nobody took VSD " + std::to_string(e.vsd) + " over from node " + std::to_string(*old));
  }

  const Scenario& scenario_;
  Weather weather_;
  World world_;
  Safety safety_;
  Settled settled_;
  std::array<std::optional<Duration>, kMaxNodes> barriers_{};
  std::array<bool, kMaxNodes> stopped_{}, leaving_{};
  Instant probing_until_ = Instant::min();
};

}  // namespace

Outcome play(const Scenario& scenario, const PlayOptions& options) {
  Outcome outcome;
  Player player(scenario, options);
  const Instant begun = player.world().now();
  try {
    player.play();
  } catch (const std::exception& error) {
    outcome.broken = error.what();
  }
  outcome.simulated = player.world().now() - begun;
  outcome.events = player.world().events();
  outcome.tally = player.tally();
  if (options.trace_lines > 0) outcome.trace = player.world().trace(options.trace_lines);
  if (options.records) {
    for (NodeId id = 0; id < player.world().size(); ++id) outcome.records.push_back(player.world().take_record(id));
  }
  return outcome;
}

}  // namespace nsrp::sim
