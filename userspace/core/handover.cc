// SPDX-License-Identifier: Apache-2.0
// Planned switches: preemption, `exec nsrp vsd-group id N mode …`, a failure seen by a monitor, an orderly stop. The
// master picks or is asked, lets the RTO mirror finish (barrier), has the successor get ready (succession.cc), releases
// the VSD and names the successor.
//
// No packet is lost: what reaches the old master from the release on crosses the data link to a successor whose data
// path takes it already, and what it had accepted before may still leave (RevokeLease::drain). A successor that does
// not answer is not handed anything, unless this device stops.
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
  if (v.handover) return pursue_handover(v);
  if (leaving) {
    const Peer* next = successor(v);
    if (next == nullptr)
      return step_down(v, VsdState::kBackup, Cause::kStopsAlone, "the daemon stops and nobody can take over");
    return begin_handover(v, next->unit, VsdState::kBackup, "the daemon stops", false);
  }
  if (v.bows_out) {
    // Manual ch. 3: the last device that is able to be master goes on being it.
    const Peer* next = successor(v);
    if (next != nullptr) return begin_handover(v, next->unit, VsdState::kIneligible, "configured as ineligible", false);
  }
  answer_wants(v);
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
  } else {
    give_up(v, old, old.asked ? "it does not ask any more" : "it is not able to be master any more");
  }
  return false;
}

void Member::Impl::begin_handover(Vsd& v, UnitId to, VsdState after, std::string cause, bool asked) {
  // Two more heartbeats may get lost before a living successor is taken for a deaf one.
  const Duration answer = std::max<Duration>(kHandoverLimit, settings.hb_interval * 3);
  v.handover = Handover{.to = to,
                        .asked = asked,
                        .after = after,
                        .cause = std::move(cause),
                        .told_from = sequence + 1,
                        .limit = now + Duration(kHandoverLimit),
                        .answer_limit = now + answer};
  out.push_back(StartBarrier{v.settings.id});
}

// It says so, and in a heartbeat that it sent after it was asked.
bool Member::Impl::successor_is_ready(const Vsd& v) const {
  const Peer& next = peers.at(v.handover->to);
  const Hearing* hearing = hearing_of_us(next);
  if (hearing == nullptr || hearing->relayed || !next.advert(v.settings.id)->ready) return false;
  return static_cast<int32_t>(hearing->sequence - static_cast<uint32_t>(v.handover->told_from)) >= 0;
}

void Member::Impl::pursue_handover(Vsd& v) {
  const bool ready = successor_is_ready(v);
  const bool late = now >= v.handover->limit;
  if (!ready && !leaving && now >= v.handover->answer_limit) {
    return give_up(v, *std::exchange(v.handover, std::nullopt), "it does not answer");
  }
  if (!(ready && v.handover->synced) && !(late && (ready || leaving))) return;
  const Handover done = *v.handover;
  std::string cause = "handed over to " + to_string(done.to) + ": " + done.cause;
  if (!done.synced) cause += "; it has not confirmed all sessions within " + words_ms(kHandoverLimit);
  if (!ready) cause += "; it has not answered within " + words_ms(kHandoverLimit);
  release_to(v, done.to, done.after, std::move(cause));
}

void Member::Impl::give_up(const Vsd& v, const Handover& handover, std::string cause) {
  out.push_back(HandoverGivenUp{v.settings.id, handover.to, std::move(cause)});
}

// From here on the successor may act on our next heartbeat; we do not stand against it.
void Member::Impl::release_to(Vsd& v, UnitId to, VsdState after, std::string cause) {
  step_down(v, after, Cause::kHandedOver, std::move(cause), kDrain);
  v.handed_to = to;
  v.yield_until = now + (leaving ? std::min<Duration>(silence_limit(), kHandoverLimit) : silence_limit());
  if (after == VsdState::kInitial) v.hold_until = now + hold_time();
}

void Member::Impl::end_yield(Vsd& v, bool master_known) {
  if (v.handed_to == UnitId{}) return;
  const auto successor = peers.find(v.handed_to);
  const VsdAdvert* theirs = successor == peers.end() ? nullptr : successor->second.advert(v.settings.id);
  // It listens first, like all that start, and does not act on what was said to its earlier run.
  const bool restarted = theirs != nullptr && theirs->state == VsdState::kInitial;
  // One that stops names its successor to the last: its heartbeat is also the one that frees everybody to take over.
  const bool waits = now < v.yield_until || leaving;
  if (!master_known && waits && alive(v.handed_to) && !restarted) return;
  // Third members still leave us out of their election: they must hear of it before we act.
  if (!master_known && others_alive(v.handed_to)) v.listen_until = now + interval() / 2;
  v.handed_to = {};
}

// The orderly stop: when nothing is mastered any more, and whoever was handed something has said that it is master or
// has had its time, the next heartbeat is the last. Until then the data path has somebody to pass packets on to.
void Member::Impl::leave() {
  const bool free = std::none_of(vsds.begin(), vsds.end(), [this](const auto& entry) {
    const Vsd& v = entry.second;
    return v.state == VsdState::kMaster || (v.handed_to != UnitId{} && now < v.yield_until);
  });
  if (!free) return;
  gone = true;
  speak_now = true;
}

}  // namespace nsrp::core
