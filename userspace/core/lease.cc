// SPDX-License-Identifier: Apache-2.0
// Mastership as a lease in the data path. Nothing here trusts that the process runs all the time.
//
// Short lease, a peer is alive. It is renewed with each heartbeat and ends half an interval before the peer may take
// over. When it has run out the peer may have taken over: it is never renewed, the member steps down and listens.
//
// Long lease, nobody is alive. The data path cuts it to alone_grace from the first frame of a peer that nobody acted
// on. A peer that hears us may have missed our heartbeats for one interval already when its own frame reaches us, hence
// the grace is one interval shorter than a short lease. After a pause longer than the grace we cannot know whether
// this has happened: we listen for an interval without renewing. Silence proves that nobody came.
#include <algorithm>

#include "core/member_impl.h"

namespace nsrp::core {

Duration Member::Impl::lease_length() const {
  const Duration own = silence_limit() - Duration(settings.hb_interval) / 2;
  if (!former_pace || now >= former_pace->until) return own;
  return std::min(own, former_pace->silence_limit - former_pace->interval / 2);
}

Duration Member::Impl::alone_grace() const {
  return lease_length() - interval();
}

// In the first moments of a run an unheard peer may be counting on our heartbeats.
bool Member::Impl::alone() const {
  return !any_alive() && now >= alone_from;
}

void Member::Impl::grant(Vsd& v) {
  const bool is_alone = alone();
  v.lease = {.granted = now,
             .until = now + (is_alone ? Duration(kAloneLease) : lease_length()),
             .alone_grace = is_alone ? alone_grace() : Duration(0)};
  out.push_back(GrantLease{v.settings.id, v.lease.until, v.lease.alone_grace, v.term});
}

void Member::Impl::renew_leases() {
  for (auto& [id, v] : vsds) {
    if (v.state != VsdState::kMaster || v.doubt_until) continue;
    const bool as_alone = v.lease.alone_grace.count() > 0;
    if (v.lease.granted != now || as_alone != alone()) grant(v);
  }
}

void Member::Impl::check_leases() {
  for (auto& [id, v] : vsds) {
    if (v.state != VsdState::kMaster) continue;
    if (now >= v.lease.until) {
      lapse(v, "its lease ran out " + words_ms(now - v.lease.until) + " ago: the process stood still");
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

// The others are heard afresh: the silence was ours.
void Member::Impl::lapse(Vsd& v, const std::string& cause) {
  step_down(v, VsdState::kBackup, cause);
  v.listen_until = now + silence_limit();
  for (auto& [unit, peer] : peers) {
    if (peer.alive) peer.silence.from = now;
  }
}

void Member::Impl::promote(Vsd& v, const std::string& cause) {
  v.term = ++v.seen;
  v.waits.clear();
  v.listen_until.reset();
  v.handed_to = {};
  v.followed = {};
  grant(v);
  set_state(v, VsdState::kMaster, cause);
  start_announcing(v);
}

void Member::Impl::step_down(Vsd& v, VsdState to, std::string cause) {
  v.lease = {};
  v.doubt_until.reset();
  v.handover.reset();
  v.conflicts.clear();
  v.announces_left = 0;
  out.push_back(RevokeLease{v.settings.id});
  set_state(v, to, std::move(cause));
}

}  // namespace nsrp::core
