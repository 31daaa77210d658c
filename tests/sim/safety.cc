// SPDX-License-Identifier: Apache-2.0
#include "sim/safety.h"

#include <algorithm>

namespace nsrp::sim {

using namespace core;

namespace {

std::string name(NodeId id) {
  return "node " + std::to_string(id);
}
std::string us(Duration d) {
  return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(d).count()) + " us";
}
// Differences of clocks over a silence, and timers that are rounded to whole nanoseconds.
Duration tolerance(Duration silence) {
  return silence / 1000 + std::chrono::microseconds(1);
}
Duration silence_of(const MemberSettings& s) {
  return s.hb_interval * s.hb_threshold;
}

}  // namespace

Safety::Safety(World& world) : world_(world) {
  pace_settled();
}

void Safety::pace_settled() {
  for (NodeId id = 0; id < world_.size(); ++id) {
    NodeWatch& node = nodes_[id];
    node.shortest_silence = node.longest_silence = silence_of(world_.settings(id));
    node.longest_interval = world_.settings(id).hb_interval;
  }
}

void Safety::broken(const std::string& sentence) const {
  throw Broken(sentence);
}

void Safety::pace_changed(NodeId id) {
  NodeWatch& node = nodes_[id];
  const Duration silence = silence_of(world_.settings(id)), interval = world_.settings(id).hb_interval;
  node.shortest_silence = std::min(node.shortest_silence, silence);
  node.longest_silence = std::max(node.longest_silence, silence);
  node.longest_interval = std::max<Duration>(node.longest_interval, interval);
}

void Safety::touched(NodeId id) {
  nodes_[id].touched = world_.now();
}

void Safety::sync_changed(NodeId id) {
  nodes_[id].sync_changed = world_.now();
}

void Safety::restarted(NodeId id) {
  for (VsdWatch& vsd : nodes_[id].vsds) {
    vsd.state = VsdState::kInitial;
    vsd.said_term = vsd.heard_term = 0;
    vsd.lease.reset();
  }
  nodes_[id].started = false;
  for (auto& complaints_to : complaints_) complaints_to[id] = {};  // it waits anew
}

void Safety::awake(NodeId id) {
  nodes_[id].awake_since = world_.now();
}

void Safety::stopped(NodeId id) {
  nodes_[id].stopped_at = world_.now();
}

// A second master that was excused before is so now. One that took over meanwhile did it while this lease was in force.
void Safety::resumed(NodeId id, bool clock_halted) {
  if (clock_halted) nodes_[id].halted_until = world_.now();
  for (const VsdSettings& vsd : world_.settings(id).vsds) {
    if (!world_.forwards(id, vsd.id)) continue;
    for (NodeId other = 0; other < world_.size(); ++other) {
      if (other == id || !world_.forwards(other, vsd.id) || overlap_known(id, other, vsd.id)) continue;
      const bool meanwhile = nodes_[other].vsds[vsd.id.value].promoted > nodes_[id].stopped_at;
      if (!clock_halted && meanwhile) check_birth(other, id, vsd.id);
      ++tally_.overlaps;
      overlaps_.push_back({id, other, vsd.id, world_.now(), std::nullopt});
    }
  }
}

void Safety::heard(NodeId to, const Frame& frame) {
  if (frame.from == to) return;
  // What is left of an earlier run counts for nothing.
  uint64_t& epoch = nodes_[to].epochs[frame.from];
  if (frame.heartbeat.boot_epoch < epoch) return;
  epoch = frame.heartbeat.boot_epoch;
  for (const VsdAdvert& advert : frame.heartbeat.vsds) {
    uint64_t& term = nodes_[to].vsds[advert.vsd.value].heard_term;
    term = std::max(term, advert.term);
  }
  const Duration slow = std::max(nodes_[to].longest_interval, nodes_[frame.from].longest_interval);
  const Instant last = frame.known[to];
  const bool of_now = frame.heartbeat.boot_epoch == world_.boot_epoch(frame.from);
  // Patience does not run while a process stands still: what it misses counts from when it goes on.
  const Instant missed_from = std::max(last, nodes_[frame.from].awake_since);
  if (of_now && last != Instant::min() && frame.sent - missed_from >= slow * 3 / 2 + tolerance(slow)) {
    Complaint& complaint = complaints_[to][frame.from];
    const bool goes_on =
        complaint.last_heard == last && world_.now() - complaint.repeated < shortest_silence(to, frame.from);
    if (!goes_on) complaint = {last, world_.now(), world_.now(), {}};
    complaint.repeated = world_.now();
    complaint.silence = std::max(complaint.silence, frame.sent - missed_from);
  }
  for (Duty& duty : duties_) {
    const bool theirs = duty.who == to && duty.other == frame.from && frame.sent >= duty.ended;
    if (theirs && !duty.until) duty.until = world_.now() + bound(to, frame.from);
  }
  for (Overlap& overlap : overlaps_) {
    const bool theirs = (overlap.a == to && overlap.b == frame.from) || (overlap.b == to && overlap.a == frame.from);
    if (theirs && !overlap.met && frame.sent >= overlap.born) overlap.met = world_.now();
  }
}

void Safety::acted(NodeId id, const Actions& actions) {
  for (const Action& action : actions) {
    if (const auto* change = std::get_if<StateChanged>(&action)) {
      watch_states(id, *change, actions);
    } else if (const auto* grant = std::get_if<GrantLease>(&action)) {
      watch_grant(id, *grant);
    } else if (const auto* said = std::get_if<SendHeartbeat>(&action)) {
      nodes_[id].started = true;
      watch_adverts(id, said->heartbeat);
    } else if (const auto* announce = std::get_if<Announce>(&action)) {
      nodes_[id].vsds[announce->vsd.value].announced = world_.now();
      last_announcer_[announce->vsd.value] = id;
      if (!world_.forwards(id, announce->vsd)) broken(name(id) + " announces what it does not forward");
    } else if (std::holds_alternative<Conflict>(action)) {
      ++tally_.conflicts;
    } else if (const auto* revoke = std::get_if<RevokeLease>(&action)) {
      nodes_[id].vsds[revoke->vsd.value].lease.reset();
      if (revoke->drain.count() > 0) ++tally_.handovers;
    }
  }
  if (world_.up(id) && nodes_[id].started) check_masters(id);
}

void Safety::watch_states(NodeId id, const StateChanged& change, const Actions& actions) {
  VsdWatch& vsd = nodes_[id].vsds[change.vsd.value];
  if (change.from != vsd.state) broken(name(id) + " leaves a state it was not in");
  vsd.state = change.to;
  vsd.since = world_.now();
  if (change.to != VsdState::kMaster) return;
  vsd.promoted = world_.now();
  if (change.cause.starts_with("resumed")) return;
  ++tally_.takeovers;
  check_sync_gate(id, change.vsd, change.cause);
  const bool told = std::any_of(actions.begin(), actions.end(), [&](const Action& action) {
    const auto* announce = std::get_if<Announce>(&action);
    return announce != nullptr && announce->vsd == change.vsd;
  });
  if (!told && world_.settings(id).announce_count > 0) broken(name(id) + " became master and did not announce it");
}

bool Safety::all_hear_all() const {
  for (NodeId id = 0; id < world_.size(); ++id) {
    for (NodeId other = 0; other < world_.size(); ++other) {
      if (other == id || !world_.awake(id) || !world_.awake(other)) continue;
      const Instant heard = world_.heard_itself_at(id, other);
      if (heard == Instant::min() || world_.now() - heard > nodes_[other].longest_interval * 3 / 2) return false;
    }
  }
  return true;
}

void Safety::check_sync_gate(NodeId id, VsdId vsd, const std::string& cause) const {
  if (!world_.settings(id).sync_required || world_.in_sync(id)) return;
  const Duration lately = Member::kHandoverLimit + nodes_[id].longest_silence * 2;
  const auto long_ago = [&](Instant t) { return t == Instant::min() || world_.now() - t > lately; };
  if (!long_ago(nodes_[id].sync_changed) || !all_hear_all()) return;
  const bool handed = cause.find("handed to this device") != std::string::npos;
  for (NodeId other = 0; other < world_.size(); ++other) {
    if (other == id || !world_.awake(other) || !world_.operable(other, vsd) || !long_ago(nodes_[other].touched))
      continue;
    const VsdWatch& theirs = nodes_[other].vsds[vsd.value];
    const bool backup = theirs.state == VsdState::kBackup || theirs.state == VsdState::kPrimaryBackup;
    const bool was_master = backup && theirs.promoted != Instant::min() && !long_ago(theirs.since) && handed;
    const bool could = backup && world_.in_sync(other) && long_ago(theirs.since) && !handed;
    if (!was_master && !could) continue;
    broken(name(id) + " is out of sync and became master of VSD " + std::to_string(vsd.value) +
           (was_master ? " instead of its master, " : " before ") + name(other) + ", which is in sync");
  }
}

void Safety::watch_grant(NodeId id, const GrantLease& grant) {
  VsdWatch& vsd = nodes_[id].vsds[grant.vsd.value];
  const DataPathLease now{
      .until = grant.until, .alone_grace = grant.alone_grace, .peer_seen = std::nullopt, .term = grant.term};
  if (vsd.state == VsdState::kMaster && vsd.lease && vsd.lease->until <= world_.now_at(id)) {
    broken(name(id) + " renews a lease that ran out " + us(world_.now_at(id) - vsd.lease->until) + " ago");
  }
  const bool takes_over = vsd.state != VsdState::kMaster;
  if (takes_over && !vsd.lease && grant.term <= vsd.heard_term && vsd.heard_term > 0) {
    broken(name(id) + " becomes master with term " + std::to_string(grant.term) + ", but has heard of term " +
           std::to_string(vsd.heard_term));
  }
  vsd.lease = now;
  if (!world_.forwards(id, grant.vsd)) return;
  for (NodeId other = 0; other < world_.size(); ++other) {
    if (other == id || !world_.forwards(other, grant.vsd) || overlap_known(id, other, grant.vsd)) continue;
    meet(id, other, grant.vsd);
  }
}

// The data path of a successor acts as master before its member does.
void Safety::took(NodeId id, VsdId vsd) {
  ++tally_.seamless;
  for (NodeId other = 0; other < world_.size(); ++other) {
    if (other == id || !world_.forwards(other, vsd) || overlap_known(id, other, vsd)) continue;
    meet(id, other, vsd);
  }
}

void Safety::watch_adverts(NodeId id, const Heartbeat& heartbeat) {
  for (const VsdAdvert& advert : heartbeat.vsds) {
    uint64_t& said = nodes_[id].vsds[advert.vsd.value].said_term;
    if (advert.term < said) broken(name(id) + " goes back to term " + std::to_string(advert.term));
    said = advert.term;
  }
}

// The state of a member and the data path agree whenever the member has had its say.
void Safety::check_masters(NodeId id) {
  for (const VsdSettings& vsd : world_.settings(id).vsds) {
    const bool master = state(id, vsd.id) == VsdState::kMaster;
    if (master == world_.forwards(id, vsd.id) || world_.took_over(id, vsd.id)) continue;
    // It stood still while a peer appeared, and listens before it believes it: the data path knows already.
    const DataPathLease* lease = world_.lease(id, vsd.id);
    if (master && lease != nullptr && lease->peer_seen) continue;
    broken(name(id) + (master ? " is master and does not forward" : " forwards and is not master"));
  }
}

Duration Safety::shortest_silence(NodeId x, NodeId y) const {
  return std::min(nodes_[x].shortest_silence, nodes_[y].shortest_silence);
}

Duration Safety::bound(NodeId x, NodeId y) const {
  return std::max(nodes_[x].longest_silence, nodes_[y].longest_silence) +
         2 * std::max(nodes_[x].longest_interval, nodes_[y].longest_interval);
}

bool Safety::overlap_known(NodeId x, NodeId y, VsdId vsd) const {
  return std::any_of(overlaps_.begin(), overlaps_.end(), [&](const Overlap& o) {
    return o.vsd == vsd && ((o.a == x && o.b == y) || (o.a == y && o.b == x));
  });
}

void Safety::meet(NodeId x, NodeId y, VsdId vsd) {
  ++tally_.overlaps;
  const bool x_later =
      state(x, vsd) != VsdState::kMaster || nodes_[x].vsds[vsd.value].promoted >= nodes_[y].vsds[vsd.value].promoted;
  check_birth(x_later ? x : y, x_later ? y : x, vsd);
  overlaps_.push_back({x, y, vsd, world_.now(), std::nullopt});
}

void Safety::check_birth(NodeId b, NodeId a, VsdId vsd) const {
  const Duration silence = shortest_silence(a, b);
  const Instant halted = std::max(nodes_[a].halted_until, nodes_[b].halted_until);
  if (halted != Instant::min() && world_.now() - halted < bound(a, b)) return;
  // What a third member told of it before it was master says nothing.
  const bool as_master = world_.told_of(b, a) >= nodes_[a].vsds[vsd.value].promoted;
  const Instant heard = std::max(world_.heard_itself_at(b, a), as_master ? world_.told_at(b, a) : Instant::min());
  const std::string two =
      "VSD " + std::to_string(vsd.value) + ": " + name(b) + " takes over while " + name(a) + " is master, ";
  if (heard != Instant::min() && world_.now() - heard < silence - tolerance(silence)) {
    broken(two + "and had heard of it " + us(world_.now() - heard) + " ago");
  }
  const Complaint& complaint = complaints_[a][b];
  // After a whole silence more it may take the one that complained for dead.
  const bool recent = complaint.repeated > world_.now() - silence;
  const bool known = recent && world_.now() - complaint.at > nodes_[a].longest_interval / 2 + tolerance(silence);
  const Duration slow = std::max(nodes_[a].longest_interval, nodes_[b].longest_interval);
  if (known && complaint.silence >= slow * 3 / 2 && complaint.last_heard == world_.heard_at(b, a)) {
    broken(two + "which knew for " + us(world_.now() - complaint.at) + " that it was not heard");
  }
  const DataPathLease& lease = *world_.lease(a, vsd);
  const Duration goes_on = nodes_[a].longest_silence - world_.settings(a).hb_interval * 3 / 2;
  if (lease.peer_seen && world_.now_at(a) - *lease.peer_seen > goes_on + tolerance(goes_on)) {
    broken(two + "whose data path saw a peer " + us(world_.now_at(a) - *lease.peer_seen) + " ago");
  }
}

void Safety::end_overlap(const Overlap& overlap) {
  if (!overlap.met) return;
  const bool a_stays = world_.forwards(overlap.a, overlap.vsd);
  const NodeId stays = a_stays ? overlap.a : overlap.b, goes = a_stays ? overlap.b : overlap.a;
  if (!world_.awake(stays) || !world_.awake(goes) || !world_.forwards(stays, overlap.vsd)) return;
  duties_.push_back({stays, goes, overlap.vsd, *overlap.met, world_.now(), std::nullopt});
}

void Safety::stepped() {
  for (size_t i = 0; i < overlaps_.size();) {
    const Overlap overlap = overlaps_[i];
    if (!world_.forwards(overlap.a, overlap.vsd) || !world_.forwards(overlap.b, overlap.vsd)) {
      end_overlap(overlap);
      overlaps_.erase(overlaps_.begin() + static_cast<ptrdiff_t>(i));
      continue;
    }
    if (overlap.met && world_.now() - *overlap.met > bound(overlap.a, overlap.b)) {
      broken("VSD " + std::to_string(overlap.vsd.value) + ": " + name(overlap.a) + " and " + name(overlap.b) +
             " are still both master " + us(world_.now() - *overlap.met) + " after they met");
    }
    ++i;
  }
  std::erase_if(duties_, [&](const Duty& duty) {
    const VsdWatch& vsd = nodes_[duty.who].vsds[duty.vsd.value];
    if (vsd.announced >= duty.since || !world_.awake(duty.who) || vsd.state != VsdState::kMaster) return true;
    if (!duty.until || world_.now() < *duty.until) return false;
    broken("VSD " + std::to_string(duty.vsd.value) + ": " + name(duty.who) +
           " met another master, stayed, and did not announce");
  });
}

}  // namespace nsrp::sim
