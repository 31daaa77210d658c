// SPDX-License-Identifier: Apache-2.0
#include "sim/world.h"

#include <algorithm>

namespace nsrp::sim {

using namespace core;
using namespace golden;

World::World() {
  for (auto& row : direct_) row.fill(Instant::min());
  for (auto& row : relayed_) row.fill(Instant::min());
  for (auto& row : told_of_) row.fill(Instant::min());
  for (auto& row : newest_) row.fill(Instant::min());
}

NodeId World::add(MemberSettings settings, Clock clock) {
  if (nodes_.size() == kMaxNodes) throw std::logic_error("too many nodes");
  Node& node = nodes_.emplace_back();
  node.settings = std::move(settings);
  node.clock = clock;
  return nodes_.size() - 1;
}

void World::set_links(NodeId id, LinkSet links) {
  nodes_[id].links = links;
}

LinkFacts World::facts(const Node& node, LinkIndex link) const {
  static constexpr std::array<const char*, core::kLinks> kNames{"ha1", "ha2", "ha3", "eth1", "eth2"};
  return {.present = true, .carrier = node.carrier[link.value], .speed_mbps = 1000, .name = kNames[link.value]};
}

void World::start(NodeId id) {
  Node& node = nodes_[id];
  std::erase_if(node.leases, [&](const auto& entry) { return entry.second.effective_until() <= local(node); });
  std::vector<AdoptedLease> adopted;
  for (const auto& [vsd, lease] : node.leases) adopted.push_back({vsd, lease.effective_until(), lease.term});
  node.pause = Pause::kNone;
  node.waiting.clear();
  node.started_at = now_;
  ++node.boots;
  node.member = std::make_unique<Member>(node.settings, local(node), boot_epoch(id), adopted);
  begin_record(id, adopted);
  for (uint8_t link = 0; link < core::kLinks; ++link) {
    if (node.links[link]) tell(id, LinkIn{LinkIndex{link}, facts(node, LinkIndex{link})});
  }
  tell(id, Start{});
  tell(id, SyncIn{node.in_sync, node.rto_peer});
  for (const auto& [vsd, operable] : node.operable) {
    if (!operable) tell(id, HealthIn{vsd, false, "a monitor failed"});
  }
}

void World::kill(NodeId id) {
  Node& node = nodes_[id];
  node.member.reset();
  node.pause = Pause::kNone;
  node.waiting.clear();
  node.wake = Instant::max();
}

void World::power_off(NodeId id) {
  kill(id);
  nodes_[id].leases.clear();
}

void World::pause(NodeId id) {
  nodes_[id].pause = Pause::kProcess;
}

void World::stop_machine(NodeId id) {
  nodes_[id].pause = Pause::kMachine;
  nodes_[id].stopped_at = now_;
}

// Its network cards have kept the frames that fit; the data path sees them now.
void World::go_on(NodeId id, bool clock_halted) {
  Node& node = nodes_[id];
  node.pause = Pause::kProcess;
  if (clock_halted) node.clock.halted(node.stopped_at, now_);
  const auto is_frame = [](const Waiting& each) { return each.frame != nullptr; };
  if (std::any_of(node.waiting.begin(), node.waiting.end(), is_frame)) see_peer(node);
  if (node.member) set_alarm(id);
}

void World::resume(NodeId id, bool timers_first) {
  Node& node = nodes_[id];
  if (node.pause == Pause::kMachine) go_on(id, false);
  node.pause = Pause::kNone;
  if (timers_first) tell(id, Time{});
  for (Waiting& each : std::exchange(node.waiting, {})) {
    if (!node.member) return;
    if (each.frame) {
      hear(id, each.link, *each.frame);
    } else {
      tell(id, std::move(*each.input));
    }
  }
}

void World::leave(NodeId id) {
  tell(id, Leave{});
}

void World::tell(NodeId id, Input input) {
  Node& node = nodes_[id];
  if (!node.member) return;
  if (node.pause != Pause::kNone)
    return node.waiting.push_back({.link = {}, .frame = nullptr, .input = std::move(input)});
  const Result<Actions> actions = apply(*node.member, local(node), input);
  if (node.recorder) node.recorder->record(local(node), input, actions);
  if (actions) answer(id, *actions);
}

void World::call(NodeId id, const std::function<Actions(Member&, Instant)>& event) {
  Node& node = nodes_[id];
  if (node.member) answer(id, event(*node.member, local(node)));
}

Status World::command(NodeId id, VsdId vsd, ModeCommand mode) {
  Node& node = nodes_[id];
  if (!awake(id)) return fail("it does not run");
  const Result<Actions> actions = node.member->on_command(local(node), vsd, mode);
  if (node.recorder) node.recorder->record(local(node), Command{vsd, mode}, actions);
  if (!actions) return fail(actions.error());
  answer(id, *actions);
  return {};
}

Status World::probe(NodeId id, LinkIndex link, uint8_t count) {
  Node& node = nodes_[id];
  if (!awake(id)) return fail("it does not run");
  const Result<Actions> actions = node.member->on_probe_command(local(node), link, std::nullopt, count);
  if (node.recorder) node.recorder->record(local(node), ProbeCommand{link, std::nullopt, count}, actions);
  if (!actions) return fail(actions.error());
  answer(id, *actions);
  return {};
}

void World::set_settings(NodeId id, const MemberSettings& settings) {
  nodes_[id].settings = settings;
  tell(id, SettingsIn{settings});
}

void World::set_in_sync(NodeId id, bool in_sync, UnitId rto_peer) {
  nodes_[id].in_sync = in_sync;
  nodes_[id].rto_peer = rto_peer;
  tell(id, SyncIn{in_sync, rto_peer});
}

void World::set_health(NodeId id, bool operable, std::optional<VsdId> vsd) {
  nodes_[id].operable[vsd] = operable;
  tell(id, HealthIn{vsd, operable, operable ? "" : "a monitor failed"});
}

void World::set_carrier(NodeId id, LinkIndex link, bool carrier) {
  Node& node = nodes_[id];
  if (node.carrier[link.value] == carrier) return;
  node.carrier[link.value] = carrier;
  if (node.links[link.value]) tell(id, LinkIn{link, facts(node, link)});
}

bool World::operable(NodeId id, VsdId vsd) const {
  const auto& marks = nodes_[id].operable;
  const auto good = [&](std::optional<VsdId> key) { return !marks.contains(key) || marks.at(key); };
  return good(std::nullopt) && good(vsd);
}

void World::deliver(NodeId id, LinkIndex link, const Heartbeat& heartbeat) {
  Frame frame{.from = id, .sent = now_, .heartbeat = heartbeat, .heard = {}, .known = {}, .newest = {}};
  frame.newest.fill(Instant::min());
  take_frame(id, link, std::make_shared<const Frame>(std::move(frame)));
}

void World::answer(NodeId id, const Actions& actions) {
  for (const Action& action : actions) {
    if (keeps_history_) history_.push_back({now_, id, action});
    carry_out(id, action);
  }
  if (nodes_[id].member) set_alarm(id);
  if (acted) acted(id, actions);
}

void World::set_alarm(NodeId id) {
  Node& node = nodes_[id];
  const Instant deadline = node.member->next_deadline();
  node.wake = Instant::max();
  if (deadline != Instant::max()) node.wake = node.clock.when(deadline) + (lateness ? lateness(id) : Duration(0));
}

bool World::step(Instant limit) {
  NodeId sleeper = nodes_.size();
  Instant at = events_.empty() ? Instant::max() : events_.front().at;
  for (NodeId id = 0; id < nodes_.size(); ++id) {
    if (!awake(id) || nodes_[id].wake >= at) continue;
    at = nodes_[id].wake;
    sleeper = id;
  }
  if (at > limit) return false;
  now_ = std::max(now_, at);
  ++events_done_;
  if (sleeper < nodes_.size()) {
    tell(sleeper, Time{});
    if (nodes_[sleeper].member && nodes_[sleeper].member->next_deadline() <= local(nodes_[sleeper])) {
      throw std::logic_error("a deadline that has passed is still to come");
    }
  } else {
    const auto later = [](const Event& a, const Event& b) { return std::tie(a.at, a.order) > std::tie(b.at, b.order); };
    std::pop_heap(events_.begin(), events_.end(), later);
    const Event event = std::move(events_.back());
    events_.pop_back();
    take(event);
  }
  pass_packets_on();
  if (after_event) after_event();
  return true;
}

void World::run_until(Instant t) {
  while (step(t)) {
  }
  now_ = std::max(now_, t);
}

bool World::run_until_true(Duration limit, const std::function<bool()>& condition) {
  const Instant end = now_ + limit;
  while (!condition()) {
    if (!step(end)) {
      now_ = end;
      return condition();
    }
  }
  return true;
}

}  // namespace nsrp::sim
