// SPDX-License-Identifier: Apache-2.0
// Planned switches: preemption, `exec nsrp vsd-group id N mode …`, a failure seen by a monitor, an orderly stop. The
// master picks or is asked, lets the RTO mirror finish (barrier), releases the VSD and names the successor.
#include <algorithm>

#include "core/defect.h"
#include "core/member_impl.h"

namespace nsrp::core {

bool Member::Impl::in_sync_enough(const Vsd& v) const {
  return v.state == VsdState::kMaster || !settings.sync_required || in_sync || defect(Defect::kSyncGate);
}

// Manual ch. 1, "Preempt Option": with preempt a strictly better priority number takes the VSD over, after hold-down.
void Member::Impl::update_wants(Vsd& v, const Peer& master) {
  const VsdAdvert& theirs = *master.advert(v.settings.id);
  const bool preempts = v.settings.preempt && theirs.priority > v.settings.priority && in_sync_enough(v) && !leaving &&
                        is_backup(v.state);
  if (!preempts) {
    v.preempt_since.reset();
  } else if (!v.preempt_since) {
    v.preempt_since = now;
  }
  v.wants = is_backup(v.state) && (v.commanded || (v.preempt_since && now >= *v.preempt_since + v.settings.hold_down));
}

bool Member::Impl::able(const Vsd& v, UnitId unit) const {
  const auto it = peers.find(unit);
  if (it == peers.end() || !direct(it->second) || deaf(it->second)) return false;
  const VsdAdvert* advert = it->second.advert(v.settings.id);
  return advert != nullptr && is_backup(advert->state) && advert->handed_to == UnitId{};
}

const Peer* Member::Impl::successor(const Vsd& v) const {
  const Candidate* best = nullptr;
  const std::vector<Candidate> all = candidates(v);
  for (const Candidate& c : all) {
    if (able(v, c.unit) && (best == nullptr || outranks(c, *best))) best = &c;
  }
  return best == nullptr ? nullptr : &peers.at(best->unit);
}

// What a master does at each event.
void Member::Impl::lead(Vsd& v) {
  meet_other_masters(v);
  if (v.state != VsdState::kMaster) return;
  if (v.inoperable) {
    // Manual ch. 1, "Control Messages": the primary backup takes over immediately from an inoperable master.
    if (const Peer* next = successor(v)) {
      return release_to(v, next->unit, VsdState::kInoperable, v.inoperable_because);
    }
    if (!settings.master_always_exist) return step_down(v, VsdState::kInoperable, Cause::kFailed, v.inoperable_because);
  }
  if (v.handover && !handover_stands(v)) return;
  if (v.handover && now >= v.handover->limit) return finish_handover(v);
  if (leaving && !v.handover) {
    const Peer* next = successor(v);
    if (next == nullptr)
      return step_down(v, VsdState::kBackup, Cause::kStopsAlone, "the daemon stops and nobody can take over");
    return begin_handover(v, next->unit, VsdState::kBackup, "the daemon stops", false);
  }
  if (v.bows_out && !v.handover) {
    // Manual ch. 3: the last device that is able to be master goes on being it.
    const Peer* next = successor(v);
    if (next != nullptr) return begin_handover(v, next->unit, VsdState::kIneligible, "configured as ineligible", false);
  }
  if (!v.handover) answer_wants(v);
}

void Member::Impl::answer_wants(Vsd& v) {
  for (const auto& [unit, peer] : peers) {
    const VsdAdvert* advert = peer.advert(v.settings.id);
    if (advert == nullptr || !advert->wants_master || !able(v, unit)) continue;
    if (settings.sync_required && !advert->in_sync) continue;
    return begin_handover(
        v, unit, VsdState::kBackup,
        to_string(unit) + " with priority " + std::to_string(advert->priority) + " asked to be master", true);
  }
}

// Is the successor still the one? False: the handover is off, or goes to another.
bool Member::Impl::handover_stands(Vsd& v) {
  const UnitId to = v.handover->to;
  const VsdAdvert* advert = peers.count(to) > 0 ? peers.at(to).advert(v.settings.id) : nullptr;
  if (able(v, to) && (!v.handover->asked || advert->wants_master)) return true;
  const Handover old = *std::exchange(v.handover, std::nullopt);
  const Peer* next = old.asked && !leaving ? nullptr : successor(v);
  if (next != nullptr) {
    begin_handover(v, next->unit, old.after, old.cause, false);
    v.handover->limit = old.limit;  // however many fail, who waits for us waits no longer
  } else if (leaving) {
    step_down(v, VsdState::kBackup, Cause::kStopsAlone, "the daemon stops and nobody can take over");
  }
  return false;
}

void Member::Impl::begin_handover(Vsd& v, UnitId to, VsdState after, std::string cause, bool asked) {
  v.handover = Handover{
      .to = to, .asked = asked, .after = after, .cause = std::move(cause), .limit = now + Duration(kHandoverLimit)};
  out.push_back(StartBarrier{v.settings.id});
}

void Member::Impl::finish_handover(Vsd& v) {
  const Handover handover = *v.handover;
  release_to(v, handover.to, handover.after, "handed over to " + to_string(handover.to) + ": " + handover.cause);
}

// From here on the successor may act on our next heartbeat; we do not stand against it.
void Member::Impl::release_to(Vsd& v, UnitId to, VsdState after, std::string cause) {
  step_down(v, after, Cause::kHandedOver, std::move(cause));
  v.handed_to = to;
  v.yield_until = now + silence_limit();
  if (after == VsdState::kInitial) v.hold_until = now + hold_time();
}

void Member::Impl::end_yield(Vsd& v, bool master_known) {
  if (v.handed_to == UnitId{}) return;
  const auto successor = peers.find(v.handed_to);
  const VsdAdvert* theirs = successor == peers.end() ? nullptr : successor->second.advert(v.settings.id);
  // It listens first, like all that start, and does not act on what was said to its earlier run.
  const bool restarted = theirs != nullptr && theirs->state == VsdState::kInitial;
  if (!master_known && now < v.yield_until && alive(v.handed_to) && !restarted) return;
  // Third members still leave us out of their election: they must hear of it before we act.
  if (!master_known && others_alive(v.handed_to)) v.listen_until = now + interval() / 2;
  v.handed_to = {};
}

// The orderly stop: when nothing is mastered any more the next heartbeat is the last.
void Member::Impl::leave() {
  const bool free =
      std::none_of(vsds.begin(), vsds.end(), [](const auto& entry) { return entry.second.state == VsdState::kMaster; });
  if (!free) return;
  gone = true;
  speak_now = true;
}

}  // namespace nsrp::core
