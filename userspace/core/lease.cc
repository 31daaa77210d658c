// SPDX-License-Identifier: Apache-2.0
// Mastership as a lease in the data path. Nothing here trusts that the process runs all the time.
//
// Short lease, a peer is alive. It is renewed with each heartbeat and ends half an interval before the peer may take
// over, had that heartbeat been the last to reach it. When it has run out the peer may have taken over: it is never
// renewed, the member steps down and listens.
//
// A heartbeat sent is not a heartbeat heard. From one and a half intervals of missing us on, each heartbeat of a peer
// shortens our lease to what its patience allows (lease_cap). So no lease outlives the patience of a peer as long as
// one such heartbeat arrives half an interval before that patience ends: a path that works in one direction only never
// has two masters. Where not even that one arrives there is no path between the two. Sooner, from one and a quarter on
// (misses_us), a peer is only answered at once: on a slow network that is no evidence yet.
//
// Long lease, nobody is alive. The data path cuts it to alone_grace from the first frame of a peer that nobody acted
// on. A peer that hears us may have missed our heartbeats for one interval already when its own frame reaches us, hence
// the grace is one interval shorter than a short lease. After a pause longer than the grace we cannot know whether
// this has happened: we listen for an interval without renewing. Silence proves that nobody came.
#include <algorithm>

#include "core/defect.h"
#include "core/member_impl.h"

namespace nsrp::core {

Duration Member::Impl::lease_length() const {
  if (defect(Defect::kLeaseMargin)) return silence_limit() + Duration(settings.hb_interval) / 2;
  const Duration own = silence_limit() - Duration(settings.hb_interval) / 2;
  if (!former_pace || now >= former_pace->until) return own;
  return std::min(own, former_pace->lease);
}

Duration Member::Impl::alone_grace() const {
  return lease_length() - interval();
}

// In the first moments of a run an unheard peer may be counting on our heartbeats.
bool Member::Impl::alone() const {
  return !any_alive() && now >= alone_from;
}

// Until when a member waits for us at least before it may become master, as it says itself. nullopt: it hears us, or
// cannot become master. One that misses our heartbeats says so before its patience ends.
std::optional<Member::Impl::Cap> Member::Impl::patience_of(const Peer& peer, const Vsd& v) const {
  const VsdAdvert* advert = direct(peer) ? peer.advert(v.settings.id) : nullptr;
  if (advert == nullptr || advert->state == VsdState::kIneligible) return std::nullopt;
  if (advert->state == VsdState::kInoperable && !settings.master_always_exist) return std::nullopt;
  const std::string unit = to_string(peer.unit);
  // Two masters meet: the rule of conflict.cc decides, unless the other cannot hear that it should yield.
  if (advert->state == VsdState::kMaster) {
    if (!peer.deaf_since) return std::nullopt;
    return Cap{*peer.deaf_since + lease_length(), unit + " is master and does not hear this device"};
  }
  if (const Hearing* hearing = hearing_of_us(peer)) {
    Duration pace = settings.hb_interval;
    if (former_pace && now < former_pace->until) pace = std::max(pace, former_pace->longest_interval);
    if (hearing->silence < pace * 3 / 2) return std::nullopt;
    const std::optional<Instant> heard = sent_at(hearing->sequence);
    const Instant until = heard ? *heard + hearing->forgiven + lease_length() : now;
    return Cap{until, unit + " has not heard this device for " + words_ms(hearing->silence)};
  }
  if (const Hearing* before = hearing_of_former_run(peer.last)) {
    return Cap{peer.silence.heard + lease_length() - before->silence,
               unit + " has not heard this device since its restart"};
  }
  // Who has just started listens for a whole silence first. All others have taken us for dead; one that stood still and
  // works off what lay in its socket does so for a moment, and waits for an interval before it acts (forgive).
  Duration waits = interval() / 2;
  if (advert->state == VsdState::kInitial && !peer.has_heard_us) {
    const Duration its_interval = peer.last.hb_interval;
    const Duration listens = std::min(lease_length(), its_interval * peer.last.hb_threshold - its_interval / 2);
    // Its heartbeats are numbered: it has been listening for as long already when we come to hear it.
    const uint64_t before = std::min<uint64_t>(peer.last.sequence, peer.last.hb_threshold + uint64_t{1}) - 1;
    const Instant began = peer.silence.heard - its_interval * static_cast<int64_t>(before);
    waits = std::clamp(began + listens - *peer.deaf_since, waits, std::max(waits, listens));
  }
  return Cap{*peer.deaf_since + waits, unit + " does not hear this device"};
}

// Does the member elect without regard to us? What we know of a silent one is of yesterday, and so may be what it knows
// of us; and whom it does not hear itself, it does not rank.
bool Member::Impl::acts_without_us(const Peer& peer, const Vsd& v) const {
  if (now >= peer.silence.from + Duration(peer.last.hb_interval) * 3 / 2) return true;
  const Hearing* hearing = hearing_of_us(peer);
  if (hearing != nullptr && hearing->relayed) return true;
  const std::optional<Cap> cap = patience_of(peer, v);
  return cap && cap->until <= now + interval() / 2;
}

// A lease ends before anybody's patience: although we hear a member, it may not hear us.
std::optional<Member::Impl::Cap> Member::Impl::lease_cap(const Vsd& v) const {
  std::optional<Cap> first;
  if (v.resumed_until) first = Cap{*v.resumed_until, "it restarted, and not everybody has heard it since"};
  for (const auto& [unit, peer] : peers) {
    std::optional<Cap> cap = patience_of(peer, v);
    if (cap && (!first || cap->until < first->until)) first = std::move(cap);
  }
  return first;
}

void Member::Impl::check_caps() {
  const bool all_heard_us = std::none_of(peers.begin(), peers.end(), [&](const auto& entry) {
    return direct(entry.second) && hearing_of_us(entry.second) == nullptr;
  });
  for (auto& [id, v] : vsds) {
    if (v.state != VsdState::kMaster) continue;
    if (alone() || (any_alive() && all_heard_us)) v.resumed_until.reset();
    if (alone()) continue;
    const std::optional<Cap> cap = lease_cap(v);
    if (cap && cap->until <= now) give_way(v, "its lease could not be renewed: " + cap->cause);
  }
}

void Member::Impl::grant(Vsd& v, Instant said_at) {
  Lease lease{.granted = now, .until = said_at + kAloneLease, .alone_grace = alone_grace(), .cap_cause = {}};
  if (!alone()) {
    lease.until = said_at + lease_length();
    lease.alone_grace = Duration(0);
    if (std::optional<Cap> cap = lease_cap(v); cap && cap->until < lease.until) {
      lease.until = cap->until;
      lease.cap_cause = std::move(cap->cause);
    }
  }
  const bool news = lease.until != v.lease.until || lease.alone_grace != v.lease.alone_grace;
  v.lease = std::move(lease);
  if (news) out.push_back(GrantLease{v.settings.id, v.lease.until, v.lease.alone_grace, v.term});
}

// A lease counts from our last heartbeat, and what the others have said since may shorten or lengthen it.
void Member::Impl::renew_leases() {
  for (auto& [id, v] : vsds) {
    if (v.state == VsdState::kMaster && !v.doubt_until) grant(v, spoke);
  }
}

void Member::Impl::check_leases() {
  for (auto& [id, v] : vsds) {
    if (v.state != VsdState::kMaster) continue;
    if (now >= v.lease.until) {
      const std::string ended = "its lease ran out " + words_ms(now - v.lease.until) + " ago: ";
      if (v.lease.cap_cause.empty()) {
        lapse(v, ended + "the process stood still");
      } else {
        give_way(v, ended + v.lease.cap_cause);
      }
    } else if (v.doubt_until) {
      const bool slept_through_it = now >= *v.doubt_until + interval() / 2;
      if (slept_through_it) {
        v.doubt_until = now + interval();
      } else if (now >= *v.doubt_until) {
        v.doubt_until.reset();
        speak_now = true;
      }
    } else if (v.lease.alone_grace.count() > 0 && now - v.lease.granted > v.lease.alone_grace) {
      v.doubt_until = now + interval();
    }
  }
}

// Somebody who does not hear us takes over half an interval from now, and is heard soon after that if at all.
void Member::Impl::give_way(Vsd& v, const std::string& cause) {
  step_down(v, VsdState::kBackup, Cause::kLapsed, cause);
  v.listen_until = now + interval() * 3 / 2;
}

// The others are heard afresh: the silence was ours.
void Member::Impl::lapse(Vsd& v, const std::string& cause) {
  step_down(v, VsdState::kBackup, Cause::kLapsed, cause);
  v.listen_until = now + silence_limit();
  for (auto& [unit, peer] : peers) {
    if (peer.alive) peer.silence.from = now;
  }
}

void Member::Impl::promote(Vsd& v, Cause why, const std::string& cause) {
  v.term = ++v.seen;
  v.waits.clear();
  v.listen_until.reset();
  v.handed_to = {};
  v.followed = {};
  v.resumed_until.reset();
  v.told_from = sequence + 1;
  v.succession_until.reset();  // the lease takes its place
  speak_now = true;
  grant(v, now);
  set_state(v, VsdState::kMaster, why, cause);
  start_announcing(v);
}

void Member::Impl::step_down(Vsd& v, VsdState to, Cause why, std::string cause, Duration drain) {
  v.lease = {};
  v.doubt_until.reset();
  v.resumed_until.reset();
  v.handover.reset();
  v.conflicts.clear();
  v.announces_left = 0;
  out.push_back(RevokeLease{v.settings.id, drain});
  set_state(v, to, why, std::move(cause));
}

}  // namespace nsrp::core
