// SPDX-License-Identifier: Apache-2.0
#include "sim/world.h"

#include <algorithm>

namespace nsrp::sim {

using namespace core;

namespace {
constexpr Duration kUsualDelay = std::chrono::microseconds(500);
}

Instant DataPathLease::effective_until() const {
  if (!peer_seen || alone_grace.count() == 0) return until;
  return std::min(until, *peer_seen + alone_grace);
}

NodeId World::add(MemberSettings settings, Duration clock_offset) {
  Node node;
  node.settings = std::move(settings);
  node.clock_offset = clock_offset;
  nodes_.push_back(std::move(node));
  return nodes_.size() - 1;
}

void World::start(NodeId id) {
  Node& node = nodes_[id];
  std::vector<AdoptedLease> adopted;
  for (const auto& [vsd, lease] : node.leases) {
    if (lease.effective_until() > now_) {
      adopted.push_back({vsd, lease.effective_until() + node.clock_offset, lease.term});
    }
  }
  std::erase_if(node.leases, [&](const auto& entry) { return entry.second.effective_until() <= now_; });
  node.paused = false;
  node.awake_since = now_;
  node.socket.clear();
  node.member = std::make_unique<Member>(node.settings, local(node), (id + 1) * 1000 + ++node.boots, adopted);
  for (uint8_t link = 0; link < kLinks; ++link) {
    const std::string name = "ha" + std::to_string(link + 1);
    answer(id, node.member->on_link(local(node), LinkIndex{link}, {true, true, 1000, name}));
  }
  call(id, [](Member& member, Instant now) { return member.start(now); });
  set_in_sync(id, node.in_sync);
  if (!node.operable) set_health(id, false);
}

void World::kill(NodeId id) {
  nodes_[id].member.reset();
  nodes_[id].paused = false;
  nodes_[id].socket.clear();
  nodes_[id].wake = Instant::max();
}

void World::power_off(NodeId id) {
  kill(id);
  nodes_[id].leases.clear();
}

void World::pause(NodeId id) {
  nodes_[id].paused = true;
}

void World::resume(NodeId id, bool timers_first) {
  Node& node = nodes_[id];
  node.paused = false;
  node.awake_since = now_;
  if (timers_first) call(id, [](Member& member, Instant now) { return member.on_time(now); });
  for (const Arrived& frame : std::exchange(node.socket, {})) {
    if (!node.member) return;
    call(id, [&](Member& member, Instant now) {
      return member.on_heartbeat(now, frame.link, frame.link, frame.heartbeat);
    });
  }
}

void World::leave(NodeId id) {
  call(id, [](Member& member, Instant now) { return member.begin_leave(now); });
}

void World::cut_all(NodeId from, NodeId to) {
  for (uint8_t link = 0; link < kLinks; ++link) cut(from, to, LinkIndex{link});
}

void World::heal_all() {
  for (const auto& [from, to, link] : cuts_) {
    if (undisturbed_since(from, to) == now_) disturbed_[{from, to}] = now_;
  }
  cuts_.clear();
}

void World::call(NodeId id, const std::function<Actions(Member&, Instant)>& event) {
  Node& node = nodes_[id];
  if (!node.member) return;
  answer(id, event(*node.member, local(node)));
}

Status World::command(NodeId id, VsdId vsd, ModeCommand mode) {
  Node& node = nodes_[id];
  if (!node.member) return fail("it does not run");
  Result<Actions> actions = node.member->on_command(local(node), vsd, mode);
  if (!actions) return fail(actions.error());
  answer(id, *actions);
  return {};
}

void World::set_settings(NodeId id, const MemberSettings& settings) {
  nodes_[id].settings = settings;
  call(id, [&](Member& member, Instant now) { return member.on_settings(now, settings); });
}

void World::set_in_sync(NodeId id, bool in_sync) {
  nodes_[id].in_sync = in_sync;
  call(id, [&](Member& member, Instant now) { return member.on_sync(now, in_sync, UnitId{}); });
}

void World::set_health(NodeId id, bool operable) {
  nodes_[id].operable = operable;
  call(id, [&](Member& member, Instant now) {
    return member.on_health(now, std::nullopt, operable, "interface eth1 is down");
  });
}

void World::deliver(NodeId id, LinkIndex link, const Heartbeat& heartbeat) {
  take_frame(id, {link, heartbeat});
}

void World::answer(NodeId id, Actions actions) {
  for (const Action& action : actions) {
    history_.push_back({now_, id, action});
    carry_out(id, action);
  }
  Node& node = nodes_[id];
  node.wake = Instant::max();
  if (node.member) {
    const Instant deadline = node.member->next_deadline();
    if (deadline != Instant::max()) {
      node.wake = deadline - node.clock_offset + (lateness ? lateness(id) : Duration(0));
    }
  }
}

void World::carry_out(NodeId id, const Action& action) {
  Node& node = nodes_[id];
  if (const auto* grant = std::get_if<GrantLease>(&action)) {
    node.leases[grant->vsd] = {grant->until - node.clock_offset, grant->alone_grace, std::nullopt, grant->term};
  } else if (const auto* revoke = std::get_if<RevokeLease>(&action)) {
    node.leases.erase(revoke->vsd);
  } else if (const auto* hb = std::get_if<SendHeartbeat>(&action)) {
    send(id, *hb);
  } else if (const auto* start = std::get_if<StartBarrier>(&action)) {
    const std::optional<Duration> takes = barrier ? barrier(id) : std::optional(kUsualDelay * 4);
    if (takes) events_.emplace(now_ + *takes, Event{id, node.boots, std::nullopt, start->vsd});
  } else if (std::holds_alternative<MayExit>(action)) {
    power_off(id);  // a daemon that stops in order takes its programs with it
  }
}

void World::send(NodeId from, const SendHeartbeat& what) {
  const Heartbeat& heartbeat = what.heartbeat;
  for (NodeId to = 0; to < nodes_.size(); ++to) {
    if (to == from) continue;
    bool arrives = false;
    for (uint8_t l = 0; l < kLinks; ++l) {
      const LinkIndex link{l};
      if (!what.links.test(l) || cuts_.contains({from, to, link})) continue;
      const std::optional<Duration> takes = delay ? delay(from, to, link) : std::optional(kUsualDelay);
      if (!takes) continue;
      arrives = true;
      events_.emplace(now_ + *takes, Event{to, 0, Arrived{link, heartbeat}, VsdId{}});
    }
    if (!arrives) disturbed_[{from, to}] = now_;
  }
}

void World::take_frame(NodeId id, const Arrived& frame) {
  Node& node = nodes_[id];
  for (auto& [vsd, lease] : node.leases) {
    if (lease.alone_grace.count() > 0 && !lease.peer_seen) lease.peer_seen = now_;
  }
  if (!node.member) return;
  if (node.paused) {
    node.socket.push_back(frame);
    return;
  }
  call(id,
       [&](Member& member, Instant now) { return member.on_heartbeat(now, frame.link, frame.link, frame.heartbeat); });
}

void World::take(const Event& event) {
  Node& node = nodes_[event.node];
  if (event.frame) return take_frame(event.node, *event.frame);
  if (node.paused || node.boots != event.boot) return;  // a barrier of another life
  call(event.node, [&](Member& member, Instant now) { return member.on_barrier_done(now, event.barrier_of); });
}

bool World::step(Instant limit) {
  NodeId sleeper = nodes_.size();
  Instant at = events_.empty() ? Instant::max() : events_.begin()->first;
  for (NodeId id = 0; id < nodes_.size(); ++id) {
    if (!nodes_[id].member || nodes_[id].paused || nodes_[id].wake >= at) continue;
    at = nodes_[id].wake;
    sleeper = id;
  }
  if (at > limit) return false;
  now_ = std::max(now_, at);
  if (sleeper < nodes_.size()) {
    Node& node = nodes_[sleeper];
    const bool stalled = local(node) - node.member->next_deadline() > node.settings.hb_interval / 2;
    if (stalled) node.awake_since = now_;
    call(sleeper, [](Member& member, Instant now) { return member.on_time(now); });
    if (nodes_[sleeper].member && nodes_[sleeper].member->next_deadline() <= local(nodes_[sleeper])) {
      throw std::logic_error("a deadline that has passed is still to come");
    }
  } else {
    const Event event = events_.extract(events_.begin()).mapped();
    take(event);
  }
  if (after_event) after_event();
  return true;
}

void World::run_until(Instant t) {
  while (step(t)) {
  }
  now_ = t;
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

VsdState World::state(NodeId id, VsdId vsd) const {
  for (const VsdView& view : nodes_[id].member->vsds()) {
    if (view.settings.id == vsd) return view.state;
  }
  throw std::logic_error("no such VSD");
}

uint64_t World::term(NodeId id, VsdId vsd) const {
  for (const VsdView& view : nodes_[id].member->vsds()) {
    if (view.settings.id == vsd) return view.term;
  }
  throw std::logic_error("no such VSD");
}

std::string World::cause(NodeId id, VsdId vsd) const {
  for (const VsdView& view : nodes_[id].member->vsds()) {
    if (view.settings.id == vsd) return view.cause;
  }
  throw std::logic_error("no such VSD");
}

const DataPathLease* World::lease(NodeId id, VsdId vsd) const {
  const auto it = nodes_[id].leases.find(vsd);
  return it == nodes_[id].leases.end() ? nullptr : &it->second;
}

bool World::forwards(NodeId id, VsdId vsd) const {
  const DataPathLease* found = lease(id, vsd);
  return found != nullptr && now_ < found->effective_until();
}

std::optional<Instant> World::awake_since(NodeId id) const {
  const Node& node = nodes_[id];
  return node.member && !node.paused ? std::optional(node.awake_since) : std::nullopt;
}

Instant World::undisturbed_since(NodeId from, NodeId to) const {
  bool open = false;
  for (uint8_t link = 0; link < kLinks; ++link) open |= !cuts_.contains({from, to, LinkIndex{link}});
  if (!open) return now_;
  const auto it = disturbed_.find({from, to});
  return it == disturbed_.end() ? Instant::min() : it->second;
}

std::string describe(const Action& action) {
  struct Words {
    std::string operator()(const SendHeartbeat& a) const {
      std::string text = "heartbeat " + std::to_string(a.heartbeat.sequence);
      for (const VsdAdvert& vsd : a.heartbeat.vsds) {
        text += " [" + std::to_string(vsd.vsd.value) + " " + std::string(to_string(vsd.state)) + " term " +
                std::to_string(vsd.term) + (vsd.wants_master ? " wants" : "") + (vsd.in_sync ? "" : " unsynced") +
                (vsd.handed_to == UnitId{} ? "" : " handed to " + to_string(vsd.handed_to)) + "]";
      }
      return text + (a.heartbeat.leaving ? " leaving" : "");
    }
    std::string operator()(const GrantLease& a) const {
      return "grant " + std::to_string(a.vsd.value) + " term " + std::to_string(a.term) +
             (a.alone_grace.count() > 0 ? " alone" : "");
    }
    std::string operator()(const RevokeLease& a) const { return "revoke " + std::to_string(a.vsd.value); }
    std::string operator()(const Announce& a) const { return "announce " + std::to_string(a.vsd.value); }
    std::string operator()(const StartBarrier& a) const { return "barrier " + std::to_string(a.vsd.value); }
    std::string operator()(const StateChanged& a) const {
      return "VSD " + std::to_string(a.vsd.value) + " " + std::string(to_string(a.from)) + " -> " +
             std::string(to_string(a.to)) + ": " + a.cause;
    }
    std::string operator()(const PeerUp& a) const { return "peer up " + to_string(a.unit); }
    std::string operator()(const PeerLost& a) const { return "peer lost: " + a.evidence; }
    std::string operator()(const Conflict& a) const {
      return "conflict with " + to_string(a.other) + (a.survives ? ", survives" : ", yields");
    }
    std::string operator()(const LinkRolesChanged& a) const {
      const auto name = [](std::optional<LinkIndex> l) { return l ? std::to_string(l->value) : "none"; };
      return "links: control " + name(a.control) + ", data " + name(a.data);
    }
    std::string operator()(const LinkStateChanged& a) const {
      return "link " + std::to_string(a.link.value) + (a.alive ? " up: " : " down: ") + a.cause;
    }
    std::string operator()(const SendProbe& a) const { return "probe on link " + std::to_string(a.link.value); }
    std::string operator()(const ProbesDone& a) const {
      return std::to_string(a.answered) + " of " + std::to_string(a.sent) + " probes answered";
    }
    std::string operator()(const MayExit&) const { return "may exit"; }
  };
  return std::visit(Words{}, action);
}

std::string World::trace(size_t last_lines) const {
  std::string text;
  const size_t skip = history_.size() > last_lines ? history_.size() - last_lines : 0;
  for (size_t i = skip; i < history_.size(); ++i) {
    const Happened& h = history_[i];
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(h.at.time_since_epoch()).count();
    text += std::to_string(us) + " us  node " + std::to_string(h.node) + "  " + describe(h.action) + "\n";
  }
  return text;
}

}  // namespace nsrp::sim
