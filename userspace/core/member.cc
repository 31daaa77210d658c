// SPDX-License-Identifier: Apache-2.0
#include "core/member.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/member_impl.h"

namespace nsrp::core {

Member::Impl::Impl(MemberSettings s, Instant created, uint64_t epoch, const std::vector<AdoptedLease>& adopted)
    : settings(std::move(s)), now(created), boot_epoch(epoch), first_probe_id(epoch >> 1), probe_id(first_probe_id) {
  for (const VsdSettings& vsd : settings.vsds) {
    Vsd& v = vsds[vsd.id];
    v.settings = vsd;
    v.since = now;
    v.cause = "the device starts";
    v.bows_out = vsd.ineligible;
  }
  for (const AdoptedLease& lease : adopted) {
    const auto it = vsds.find(lease.vsd);
    if (it == vsds.end()) continue;
    it->second.seen = it->second.term = lease.term;
    it->second.lease.until = lease.until;
  }
}

// A lease in force proves that no other member has taken over since; the mastership goes on under its term.
void Member::Impl::start() {
  started = true;
  alone_from = now + silence_limit();
  next_heartbeat = spoke = now;
  for (auto& [id, v] : vsds) {
    v.hold_until = now + hold_time();
    if (v.lease.until <= now) continue;
    v.resumed_until = std::exchange(v.lease, {}).until;
    v.told_from = 1;
    grant(v, now);
    set_state(v, VsdState::kMaster, Cause::kResumed, "resumed: the lease of an earlier run is in force");
  }
}

void Member::Impl::enter(Instant event_time) {
  const Instant due = next_deadline();
  now = std::max(now, event_time);
  if (!started) return;
  if (now > due && now - due > interval() / 2) forgive(now - due);
  check_leases();
}

Actions Member::Impl::settle() {
  lose_silent_peers();
  probe_due();
  const bool needs_secondary = secondary_needed();
  if (needs_secondary && !on_secondary && links.count(kSecondaryPath) > 0) speak_now = true;
  on_secondary = needs_secondary;
  assign_links();
  if (started) {
    nudge_silent_peers();
    check_caps();
    for (auto& [id, v] : vsds) {
      // One decision can make room for the next: who lost a conflict follows the winner.
      for (int pass = 0; pass < 4; ++pass) {
        const VsdState before = v.state;
        evaluate(v);
        if (v.state == before) break;
      }
      prepare_to_succeed(v);
    }
    if (leaving) leave();
    speak();
    renew_leases();
    announce_due();
    if (gone) out.push_back(MayExit{});
    if (catching_up && now >= catching_up->until) catching_up.reset();
  }
  return std::exchange(out, {});
}

void Member::Impl::evaluate(Vsd& v) {
  if (v.bows_out && v.state != VsdState::kMaster) {
    v.bows_out = false;
    if (v.state != VsdState::kIneligible) {
      set_state(v, VsdState::kIneligible, Cause::kConfiguredIneligible, "configured as ineligible");
    }
  }
  switch (v.state) {
    case VsdState::kMaster:
      return lead(v);
    case VsdState::kInitial:
      if (v.inoperable) return set_state(v, VsdState::kInoperable, Cause::kFailed, v.inoperable_because);
      end_yield(v, living_master(v) != nullptr);
      if (now >= v.hold_until) decide(v);
      return;
    case VsdState::kPrimaryBackup:
    case VsdState::kBackup:
      if (v.inoperable) return set_state(v, VsdState::kInoperable, Cause::kFailed, v.inoperable_because);
      return decide(v);
    case VsdState::kInoperable:
      if (!v.inoperable) return become_initial(v, Cause::kOperableAgain, "operable again");
      return decide(v);
    case VsdState::kIneligible:
      return end_yield(v, living_master(v) != nullptr);
  }
}

void Member::Impl::set_state(Vsd& v, VsdState to, [[maybe_unused]] Cause why, std::string cause) {
  assert(allowed(v.state, to, why));
  const VsdState from = std::exchange(v.state, to);
  v.since = now;
  v.cause = cause;
  if (!is_backup(to)) withdraw(v);
  // Backups are ranked by their state, too.
  if (is_backup(to)) stand_from = now + interval() / 2;
  if (!is_backup(to)) {
    v.wants = false;
    v.preempt_since.reset();
    v.insist_until.reset();
    if (to != VsdState::kInitial) v.commanded = false;
  }
  v.challenged = false;
  out.push_back(StateChanged{v.settings.id, from, to, std::move(cause)});
}

void Member::Impl::become_initial(Vsd& v, Cause why, std::string cause) {
  v.hold_until = now + hold_time();
  v.waits.clear();
  set_state(v, VsdState::kInitial, why, std::move(cause));
}

Member::Member(MemberSettings settings, Instant now, uint64_t boot_epoch, const std::vector<AdoptedLease>& adopted)
    : impl_(std::make_unique<Impl>(std::move(settings), now, boot_epoch, adopted)) {}

Member::~Member() = default;

Actions Member::start(Instant now) {
  impl_->now = std::max(impl_->now, now);
  impl_->start();
  return impl_->settle();
}

Actions Member::on_heartbeat(Instant now, LinkIndex link, LinkIndex sent_on, const Heartbeat& heartbeat) {
  if (impl_->stopped()) return {};
  impl_->enter(now);
  impl_->hear(link, sent_on, heartbeat);
  return impl_->settle();
}

Actions Member::on_link(Instant now, LinkIndex link, LinkFacts facts) {
  if (impl_->stopped()) return {};
  impl_->enter(now);
  const bool lost_carrier = !facts.present || !facts.carrier;
  if (facts.present) {
    impl_->links[link].facts = std::move(facts);
    if (lost_carrier) impl_->links[link].probing = {};
  } else {
    impl_->links.erase(link);
  }
  // What was heard before says nothing about the link that comes back.
  if (lost_carrier) {
    for (auto& [unit, peer] : impl_->peers) peer.links.erase(link);
  }
  return impl_->settle();
}

Actions Member::on_sync(Instant now, bool in_sync, UnitId rto_peer) {
  if (impl_->stopped()) return {};
  impl_->enter(now);
  if (impl_->in_sync != in_sync) impl_->stand_from = impl_->now + impl_->interval() / 2;
  impl_->in_sync = in_sync;
  impl_->rto_peer = rto_peer;
  return impl_->settle();
}

Actions Member::on_health(Instant now, std::optional<VsdId> vsd, bool operable, const std::string& reason) {
  if (impl_->stopped()) return {};
  impl_->enter(now);
  impl_->apply_health(vsd, operable, reason);
  return impl_->settle();
}

Actions Member::on_barrier_done(Instant now, VsdId vsd) {
  if (impl_->stopped()) return {};
  impl_->enter(now);
  const auto it = impl_->vsds.find(vsd);
  if (it != impl_->vsds.end() && it->second.handover) it->second.handover->synced = true;
  return impl_->settle();
}

Actions Member::on_settings(Instant now, MemberSettings settings) {
  if (impl_->stopped()) return {};
  impl_->enter(now);
  impl_->apply_settings(std::move(settings));
  return impl_->settle();
}

// A refused command changes nothing, not even by the time that has passed.
Result<Actions> Member::on_command(Instant now, VsdId vsd, ModeCommand mode) {
  if (std::optional<std::string> sentence = impl_->refusal(vsd, mode)) return fail(std::move(*sentence));
  impl_->enter(now);
  impl_->command(impl_->vsds.at(vsd), mode);
  return impl_->settle();
}

Actions Member::on_clear_command(Instant now) {
  if (impl_->stopped()) return {};
  impl_->enter(now);
  ++impl_->clears;
  return impl_->settle();
}

Actions Member::begin_leave(Instant now) {
  if (impl_->stopped()) return {};
  impl_->enter(now);
  impl_->leaving = true;
  return impl_->settle();
}

Actions Member::on_time(Instant now) {
  if (impl_->stopped()) return {};
  impl_->enter(now);
  return impl_->settle();
}

Instant Member::next_deadline() const {
  return impl_->next_deadline();
}

}  // namespace nsrp::core
