// SPDX-License-Identifier: Apache-2.0
// The network and the data path of a World.
#include <algorithm>
#include <tuple>

#include "sim/world.h"

namespace nsrp::sim {

using namespace core;
using namespace golden;

namespace {
constexpr Duration kUsualDelay = std::chrono::microseconds(500);
constexpr size_t kSocketBuffer = 512;  // frames; what comes while it is full is dropped
}  // namespace

Instant DataPathLease::effective_until() const {
  if (!peer_seen || alone_grace.count() == 0) return until;
  return std::min(until, *peer_seen + alone_grace);
}

void World::cut_all(NodeId from, NodeId to) {
  for (uint8_t link = 0; link < core::kLinks; ++link) cut(from, to, LinkIndex{link});
}

void World::heal_all() {
  wires_ = {};
}

bool World::passes(NodeId from, NodeId to, LinkIndex link) const {
  const auto l = link.value;
  return carrier(from)[l] && carrier(to)[l] && !wires_[from][to][l].cut;
}

bool World::passes_unicast(NodeId from, NodeId to, LinkIndex link) const {
  return passes(from, to, link) && !wires_[from][to][link.value].cut_unicast;
}

void World::carry_out(NodeId id, const Action& action) {
  Node& node = nodes_[id];
  if (const auto* lease = std::get_if<GrantLease>(&action)) {
    node.leases[lease->vsd] = {
        .until = lease->until, .alone_grace = lease->alone_grace, .peer_seen = std::nullopt, .term = lease->term};
  } else if (const auto* revoke = std::get_if<RevokeLease>(&action)) {
    node.leases.erase(revoke->vsd);
  } else if (const auto* succeed = std::get_if<Succeed>(&action)) {
    DataPathLease& lease = node.leases[succeed->vsd];
    lease.predecessor = succeed->from;
    lease.succession_until = succeed->until;
    lease.took = lease.took && succeed->from != UnitId{};
  } else if (const auto* said = std::get_if<SendHeartbeat>(&action)) {
    send(id, *said);
  } else if (const auto* probe = std::get_if<SendProbe>(&action)) {
    send_probe(id, *probe);
  } else if (const auto* start = std::get_if<StartBarrier>(&action)) {
    const std::optional<Duration> takes = barrier ? barrier(id) : std::optional(kUsualDelay * 4);
    if (takes)
      push({.at = now_ + *takes,
            .order = 0,
            .kind = Kind::kBarrier,
            .node = id,
            .boot = node.boots,
            .vsd = start->vsd,
            .frame = nullptr});
  } else if (std::holds_alternative<MayExit>(action)) {
    power_off(id);  // a daemon that stops in order takes its programs with it
  }
}

void World::push(Event event) {
  event.order = ++events_made_;
  events_.push_back(std::move(event));
  const auto later = [](const Event& a, const Event& b) { return std::tie(a.at, a.order) > std::tie(b.at, b.order); };
  std::push_heap(events_.begin(), events_.end(), later);
}

Copies World::copies(NodeId from, NodeId to, LinkIndex link, uint64_t salt, bool unicast) {
  if (!(unicast ? passes_unicast(from, to, link) : passes(from, to, link))) return {};
  Copies all = transmit ? transmit(from, to, link, salt) : Copies{1, {kUsualDelay}};
  const Instant free = wire(from, to, link).clogged_until;
  for (uint8_t i = 0; i < all.count; ++i) all.takes[i] = std::max(now_, free) - now_ + all.takes[i];
  return all;
}

void World::send(NodeId from, const SendHeartbeat& said) {
  std::shared_ptr<const Frame> frame;
  for (uint8_t l = 0; l < core::kLinks; ++l) {
    if (!said.links[l] || !carrier(from)[l]) continue;
    if (!frame) {
      Frame made{.from = from, .sent = now_, .heartbeat = said.heartbeat, .heard = {}, .known = {}, .newest = {}};
      for (NodeId of = 0; of < nodes_.size(); ++of) {  // in this run of it
        const auto since = [&](Instant t, Instant what) {
          return t >= nodes_[from].started_at ? what : Instant::min();
        };
        made.heard[of] = since(direct_[from][of], direct_[from][of]);
        made.newest[of] = since(direct_[from][of], newest_[from][of]);
        made.known[of] = since(heard_at(from, of), heard_at(from, of));
      }
      frame = std::make_shared<const Frame>(std::move(made));
    }
    for (NodeId to = 0; to < nodes_.size(); ++to) {
      if (to == from) continue;
      const Copies all = copies(from, to, LinkIndex{l}, said.heartbeat.sequence, false);
      for (uint8_t i = 0; i < all.count; ++i) {
        push({.at = now_ + all.takes[i],
              .order = 0,
              .kind = Kind::kFrame,
              .node = to,
              .link = LinkIndex{l},
              .frame = frame});
      }
    }
  }
}

// By unicast to each of the others, whom it knows or not: who is not there does not answer.
void World::send_probe(NodeId from, const SendProbe& probe) {
  for (NodeId to = 0; to < nodes_.size(); ++to) {
    if (to == from || (probe.to && probe.to->as_number() != nodes_[to].settings.unit.value)) continue;
    const Copies all = copies(from, to, probe.link, probe.id, true);
    for (uint8_t i = 0; i < all.count; ++i) {
      push({.at = now_ + all.takes[i],
            .order = 0,
            .kind = Kind::kProbeRequest,
            .node = to,
            .link = probe.link,
            .other = from,
            .id = probe.id,
            .frame = nullptr});
    }
  }
}

// What a link held back until long after its sender has started anew.
bool World::outlived(const Frame& frame) const {
  const Node& from = nodes_[frame.from];
  if (frame.heartbeat.boot_epoch == boot_epoch(frame.from)) return false;
  return now_ > from.started_at + from.settings.hb_interval * from.settings.hb_threshold;
}

void World::take(const Event& event) {
  switch (event.kind) {
    case Kind::kFrame:
      if (!carrier(event.node)[event.link.value] || outlived(*event.frame)) return;
      return take_frame(event.node, event.link, event.frame);
    case Kind::kBarrier:  // not that of another life
      if (nodes_[event.node].boots == event.boot) tell(event.node, BarrierDone{event.vsd});
      return;
    case Kind::kProbeRequest: {
      if (!awake(event.node)) return;
      const Copies all = copies(event.node, event.other, event.link, event.id, true);
      for (uint8_t i = 0; i < all.count; ++i) {
        push({.at = now_ + all.takes[i],
              .order = 0,
              .kind = Kind::kProbeAnswer,
              .node = event.other,
              .boot = nodes_[event.other].boots,
              .link = event.link,
              .id = event.id,
              .frame = nullptr});
      }
      return;
    }
    case Kind::kProbeAnswer:
      if (nodes_[event.node].boots == event.boot) tell(event.node, ProbeAnswer{event.link, event.id});
      return;
  }
}

void World::see_peer(Node& node) {
  for (auto& [vsd, lease] : node.leases) {
    if (lease.alone_grace.count() > 0 && !lease.peer_seen) lease.peer_seen = local(node);
  }
}

// There is always a packet under way: in the moment a data path is no longer master, its successor's takes one.
void World::pass_packets_on() {
  for (NodeId id = 0; id < nodes_.size(); ++id) {
    Node& node = nodes_[id];
    for (auto& [vsd, lease] : node.leases) {
      if (lease.took || local(node) >= lease.succession_until || node.pause == Pause::kMachine) continue;
      const auto from = std::find_if(
          nodes_.begin(), nodes_.end(),
          [&predecessor = lease.predecessor](const Node& each) { return each.settings.unit == predecessor; });
      const auto other = static_cast<NodeId>(from - nodes_.begin());
      if (from == nodes_.end() || from->pause == Pause::kMachine || forwards(other, vsd)) continue;
      lease.took = true;
      if (took) took(id, vsd);
    }
  }
}

void World::take_frame(NodeId id, LinkIndex link, const std::shared_ptr<const Frame>& frame) {
  Node& node = nodes_[id];
  if (node.pause != Pause::kMachine) see_peer(node);
  if (!node.member) return;
  if (node.pause == Pause::kNone) return hear(id, link, *frame);
  if (node.waiting.size() < kSocketBuffer) node.waiting.push_back({.link = link, .frame = frame, .input = {}});
}

void World::hear(NodeId id, LinkIndex link, const Frame& frame) {
  Node& node = nodes_[id];
  if (heard) heard(id, frame);
  // A second copy, and what others have overtaken, is no sign of life.
  if (frame.from != id && frame.sent > newest_[id][frame.from]) {
    newest_[id][frame.from] = frame.sent;
    direct_[id][frame.from] = now_;
  }
  for (NodeId other = 0; other < nodes_.size(); ++other) {
    const bool news = other != id && frame.newest[other] > newest_[id][other];
    if (!news || frame.heard[other] <= relayed_[id][other]) continue;
    relayed_[id][other] = frame.heard[other];
    told_of_[id][other] = frame.newest[other];
    teller_[id][other] = {frame.from, nodes_[frame.from].boots};
  }
  if (node.recorder) return tell(id, HeartbeatIn{link, link, frame.heartbeat});
  answer(id, node.member->on_heartbeat(local(node), link, link, frame.heartbeat));
}

}  // namespace nsrp::sim
