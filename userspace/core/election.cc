// SPDX-License-Identifier: Apache-2.0
// Who becomes master when there is none, and who is primary backup when there is one. Every member ranks all living
// members by what they advertise and so comes to the same answer; only the best acts, the others give it time.
#include <algorithm>

#include "core/defect.h"
#include "core/member_impl.h"

namespace nsrp::core {

const Peer* Member::Impl::living_master(const Vsd& v) const {
  const Peer* best = nullptr;
  Claim best_claim{};
  for (const auto& [unit, peer] : peers) {
    const VsdAdvert* advert = direct(peer) ? peer.advert(v.settings.id) : nullptr;
    if (advert == nullptr || advert->state != VsdState::kMaster) continue;
    // One that does not hear us cannot be made to yield, so the others must.
    const bool deaf = peer.deaf_since && now - *peer.deaf_since >= interval();
    const Claim claim{deaf, advert->term, advert->priority, unit};
    if (best != nullptr && !beats(claim, best_claim)) continue;
    best = &peer;
    best_claim = claim;
  }
  return best;
}

// Whom the last master handed the VSD to, if nobody has mastered it since. The master may have left meanwhile.
UnitId Member::Impl::named_successor(const Vsd& v) const {
  for (const auto& [unit, peer] : peers) {
    const VsdAdvert* advert = peer.advert(v.settings.id);
    if (advert == nullptr || advert->state == VsdState::kMaster || advert->handed_to == UnitId{}) continue;
    if (advert->term < v.seen || now >= death_of(peer)) continue;
    // Heard while we were initial it was meant for an earlier run of ours.
    if (advert->handed_to == settings.unit && peer.silence.heard < v.hold_until) continue;
    return advert->handed_to;
  }
  const bool counts = v.last_word && now < v.last_word->until && v.last_word->term >= v.seen;
  return counts && alive(v.last_word->successor) ? v.last_word->successor : UnitId{};
}

// Its new run knows nothing of it.
void Member::Impl::keep_last_word(const Peer& peer) {
  for (auto& [id, v] : vsds) {
    const VsdAdvert* advert = peer.advert(id);
    if (advert == nullptr || advert->handed_to == UnitId{} || advert->handed_to == settings.unit) continue;
    v.last_word = Vsd::LastWord{advert->handed_to, advert->term, death_of(peer)};
  }
}

// The initial hold binds a member that became inoperable meanwhile, too: it has to have listened.
bool Member::Impl::may_stand(const Vsd& v) const {
  const bool operable = v.state != VsdState::kInoperable || settings.master_always_exist;
  if (promised_to_wait(v)) return false;
  const bool has_listened =
      now >= v.hold_until && (!v.listen_until || now >= *v.listen_until) && (!catching_up || now >= catching_up->until);
  return operable && has_listened && !leaving && v.handed_to == UnitId{};
}

std::vector<Candidate> Member::Impl::candidates(const Vsd& v) const {
  const UnitId named = named_successor(v);
  // A successor that restarted has to listen first, like everybody who starts.
  const bool named_self = named == settings.unit && is_backup(v.state);
  std::vector<Candidate> all;
  const auto waited_for = [&](UnitId unit) {
    const auto wait = v.waits.find(unit);
    return wait != v.waits.end() && now >= wait->second;
  };
  // What the last master has said about us is known to all.
  const std::optional<Cap> cap = lease_cap(v);
  const bool would_last = !cap || cap->until > now + interval() / 2;
  if (may_stand(v) && would_last && (named_self || now >= stand_from)) {
    all.push_back({.unit = settings.unit,
                   .named = named_self,
                   .operable = v.state != VsdState::kInoperable,
                   .in_sync = in_sync_enough(v),
                   .primary_backup = v.state == VsdState::kPrimaryBackup,
                   .priority = v.settings.priority});
  }
  for (const auto& [unit, peer] : peers) {
    const VsdAdvert* advert = direct(peer) ? peer.advert(v.settings.id) : nullptr;
    const bool yields = advert != nullptr && advert->handed_to != UnitId{} && unit != named;
    if (advert == nullptr || yields) continue;
    const bool operable = advert->state == VsdState::kInitial || is_backup(advert->state);
    const bool last_resort = advert->state == VsdState::kInoperable && settings.master_always_exist;
    if (!operable && !last_resort) continue;
    if (waited_for(unit)) continue;
    all.push_back({.unit = unit,
                   .named = named == unit,
                   .deaf = acts_without_us(peer, v),
                   .operable = operable,
                   .in_sync = advert->in_sync,
                   .primary_backup = advert->state == VsdState::kPrimaryBackup,
                   .priority = advert->priority});
  }
  // The successor may be somebody whom only the last master hears.
  const auto heard = peers.find(named);
  const bool unheard = named != UnitId{} && named != settings.unit && (heard == peers.end() || !direct(heard->second));
  if (unheard && !waited_for(named)) all.push_back({.unit = named, .named = true});
  return all;
}

// The primary backup goes before any better priority: it is the RTO peer of the lost master if there was one.
bool Member::Impl::outranks(const Candidate& a, const Candidate& b) const {
  if (a.named != b.named) return a.named;
  if (a.operable != b.operable) return a.operable;
  // Who does not hear us elects itself, whatever we do.
  if (a.deaf != b.deaf) return a.deaf;
  if (settings.sync_required && a.in_sync != b.in_sync) return a.in_sync;
  if (a.primary_backup != b.primary_backup) return a.primary_backup;
  if (a.priority != b.priority || defect(Defect::kTieBreak)) return a.priority < b.priority;
  return a.unit > b.unit;
}

// How long a better candidate may take. It may itself be listening for a full silence after a lease that ran out, or
// wait for the death of a master only it has heard, and pass its initial hold. The intervals on top, more of them the
// lower our unit id is, keep us from acting in the same moment as it, or as another one that has waited as long as we.
Duration Member::Impl::patience(const Candidate& c) const {
  const auto it = peers.find(c.unit);
  const Duration silence = it == peers.end() ? silence_limit() : dead_after(it->second);
  const auto before_us = std::count_if(peers.begin(), peers.end(), [&](const auto& entry) {
    return entry.first > settings.unit && direct(entry.second);
  });
  return 2 * silence + interval() * (1 + before_us) + hold_time();
}

bool Member::Impl::elect(Vsd& v) {
  const std::vector<Candidate> all = candidates(v);
  const auto best =
      std::min_element(all.begin(), all.end(), [&](const auto& a, const auto& b) { return outranks(a, b); });
  if (best == all.end()) return false;
  if (best->unit != settings.unit) {
    // Its time runs while it is the best; who could not act because of a better one is not to blame.
    std::erase_if(v.waits, [&](const auto& wait) { return wait.first != best->unit && now < wait.second; });
    v.waits.try_emplace(best->unit, now + patience(*best));
    return false;
  }
  std::string cause = why_no_master(v) + "; ";
  Cause why = Cause::kElected;
  if (best->named) {
    why = Cause::kSucceeded;
    cause += "the VSD was handed to this device";
  } else if (!best->operable) {
    why = Cause::kLastResort;
    cause += "all members are inoperable, and master-always-exist is set";
  } else if (all.size() == 1) {
    cause += "no other member is able to be master";
  } else {
    cause += "elected with priority " + std::to_string(v.settings.priority) + " among " + std::to_string(all.size()) +
             " members";
  }
  promote(v, why, cause);
  return true;
}

std::string Member::Impl::why_no_master(const Vsd& v) const {
  const std::string own = v.state == VsdState::kInitial ? "initial hold is over" : "no master";
  const auto it = peers.find(v.followed);
  if (it == peers.end()) return own;
  const Peer& peer = it->second;
  if (!peer.alive) return peer.lost_because;
  const VsdAdvert* advert = peer.advert(v.settings.id);
  if (advert == nullptr) return to_string(peer.unit) + " no longer has this VSD group";
  return to_string(peer.unit) + " is " + std::string(to_string(advert->state)) + " now";
}

void Member::Impl::decide(Vsd& v) {
  const Peer* master = living_master(v);
  end_yield(v, master != nullptr);
  if (master != nullptr) {
    v.waits.clear();
    // Somebody may have told of a later mastership than this one, whose own word is still under way.
    if (master->advert(v.settings.id)->term >= v.seen) v.listen_until.reset();
    v.followed = master->unit;
    if (v.state != VsdState::kInoperable) follow(v, *master);
    return;
  }
  v.wants = v.commanded = false;
  v.preempt_since.reset();
  if (const UnitId unheard = hearsay_master(v); unheard != UnitId{}) return wait_for_hearsay(v, unheard);
  // What a master has released is free at once, whatever else we were waiting for.
  if (is_backup(v.state) && named_successor(v) == settings.unit) v.listen_until.reset();
  if (v.listen_until && now >= *v.listen_until) v.listen_until.reset();
  if (elect(v)) return;
  if (v.state == VsdState::kInitial) {
    set_state(v, VsdState::kBackup, Cause::kHoldOver, "initial hold is over; another member goes first");
  }
}

// A member that we do not hear, but others have told of, may be master. We have told it that we wait for it as long as
// they make us, and it counts on that, unless somebody who hears it now says that it is not master.
bool Member::Impl::promised_to_wait(const Vsd& v) const {
  const auto cleared = [&](UnitId unit) {
    return std::any_of(peers.begin(), peers.end(), [&](const auto& entry) {
      const Peer& teller = entry.second;
      const VsdAdvert* advert = direct(teller) ? teller.advert(v.settings.id) : nullptr;
      if (advert == nullptr || advert->follows == unit) return false;
      const Hearing* hearing = fresh_hearing(teller, unit);
      return hearing != nullptr && hearing->silence < nudge_after(teller);
    });
  };
  return std::any_of(peers.begin(), peers.end(), [&](const auto& entry) {
    const Peer& peer = entry.second;
    return peer.alive && !direct(peer) && peer.advert(v.settings.id) != nullptr && !cleared(peer.unit);
  });
}

// There is a master, and we cannot hear it: it is not ours to follow, and not ours to replace.
void Member::Impl::wait_for_hearsay(Vsd& v, UnitId master) {
  v.waits.clear();
  v.followed = master;
  if (v.state == VsdState::kInitial || v.state == VsdState::kPrimaryBackup) {
    set_state(v, VsdState::kBackup, Cause::kHearsayMaster,
              to_string(master) + " is master, as others tell; this device does not hear it");
  }
}

void Member::Impl::follow(Vsd& v, const Peer& master) {
  const VsdState role = backup_role(v, master);
  if (role != v.state) {
    std::string cause = to_string(master.unit) + " is master";
    if (v.state == VsdState::kInitial) cause = "initial hold is over; " + cause;
    if (is_backup(v.state)) {
      cause +=
          role == VsdState::kPrimaryBackup ? "; this is the best of its backups" : "; another member is primary backup";
    }
    set_state(v, role, Cause::kRanked, std::move(cause));
  }
  update_wants(v, master);
}

// One backup calls itself primary, and goes on doing so: a better one that comes later waits until it steps down,
// unless it is the master's RTO peer (manual: that one has precedence).
VsdState Member::Impl::backup_role(Vsd& v, const Peer& master) {
  const auto mirrors = [&](UnitId unit, UnitId mirror) {
    return unit == master.last.rto_peer || mirror == master.unit;
  };
  const auto standing = [&](UnitId unit, UnitId mirror, uint8_t priority, bool synced) {
    return Candidate{.unit = unit, .named = mirrors(unit, mirror), .in_sync = synced, .priority = priority};
  };
  if (v.insist_until && now >= *v.insist_until) v.insist_until.reset();
  if (v.insist_until) return VsdState::kPrimaryBackup;
  const bool held = v.state == VsdState::kPrimaryBackup;
  const bool challenged = std::exchange(v.challenged, false);
  const Candidate self = standing(settings.unit, rto_peer, v.settings.priority, in_sync_enough(v));
  bool other_holds = false, best = true;
  for (const auto& [unit, peer] : peers) {
    const VsdAdvert* advert = direct(peer) ? peer.advert(v.settings.id) : nullptr;
    if (advert == nullptr || !is_backup(advert->state)) continue;
    const Candidate other = standing(unit, peer.last.rto_peer, advert->priority, advert->in_sync);
    const bool holds = advert->state == VsdState::kPrimaryBackup;
    if (holds && self.named <= other.named) other_holds = true;
    if (holds == held && outranks(other, self)) best = false;
  }
  if (held) return other_holds && (challenged || !best) ? VsdState::kBackup : VsdState::kPrimaryBackup;
  return !other_holds && best ? VsdState::kPrimaryBackup : VsdState::kBackup;
}

}  // namespace nsrp::core
