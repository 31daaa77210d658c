// SPDX-License-Identifier: Apache-2.0
// What this member says, and when: on a fixed grid of hb-interval, and at once when something changes.
#include <algorithm>

#include "core/member_impl.h"

namespace nsrp::core {

Duration Member::Impl::interval() const {
  const Duration own = settings.hb_interval;
  return former_pace && now < former_pace->until ? std::min(own, former_pace->shortest_interval) : own;
}

Duration Member::Impl::silence_limit() const {
  return settings.hb_interval * settings.hb_threshold;
}

// Manual: init-hold × hb-interval. Never shorter than it takes to be sure that a silent master is dead.
Duration Member::Impl::hold_time() const {
  return settings.hb_interval * std::max(settings.init_hold, settings.hb_threshold);
}

VsdAdvert Member::Impl::advert(const Vsd& v) const {
  const bool master = v.state == VsdState::kMaster;
  return VsdAdvert{.vsd = v.settings.id,
                   .state = v.state,
                   .priority = v.settings.priority,
                   .wants_master = v.wants && is_backup(v.state),
                   .in_sync = master || in_sync_enough(v),
                   .ready = v.ready && is_backup(v.state),
                   .term = master ? v.term : v.seen,
                   .handed_to = v.handed_to,
                   .follows = v.handed_to == UnitId{} ? followed_now(v) : UnitId{},
                   .handing_to = v.handover ? v.handover->to : UnitId{}};
}

// The master that this member hears itself.
UnitId Member::Impl::followed_now(const Vsd& v) const {
  const Peer* master = v.state == VsdState::kMaster ? nullptr : living_master(v);
  return master == nullptr ? UnitId{} : master->unit;
}

// Whether we are master is not known to ourselves at the moment, so there is nothing to say.
bool Member::Impl::in_doubt() const {
  return std::any_of(vsds.begin(), vsds.end(), [](const auto& entry) { return entry.second.doubt_until.has_value(); });
}

void Member::Impl::speak() {
  Heartbeat heartbeat{.unit = settings.unit,
                      .boot_epoch = boot_epoch,
                      .sequence = sequence,
                      .hb_interval = settings.hb_interval,
                      .hb_threshold = settings.hb_threshold,
                      .leaving = gone,
                      .rto_enabled = settings.sync_required,
                      .rto_peer = rto_peer,
                      .clears = clears,
                      .vsds = {},
                      .heard = {}};
  for (const auto& [id, v] : vsds) heartbeat.vsds.push_back(advert(v));
  std::map<UnitId, LinkSet> hears;
  for (const auto& [unit, peer] : peers) {
    if (peer.alive) hears[unit] = heard_links(peer);
  }
  const bool due = now >= next_heartbeat;
  if (!due && !speak_now && said == heartbeat && said_hears == hears) return;
  if (in_doubt()) return;
  // Slots that we slept through are not made up for.
  if (due) next_heartbeat += ((now - next_heartbeat) / interval() + 1) * interval();
  speak_now = false;
  spoke = now;
  renew_leases();
  heartbeat.sequence = ++sequence;
  spoke_times[sequence % spoke_times.size()] = {sequence, now};
  said = heartbeat;
  said_hears = std::move(hears);
  heartbeat.heard = hearings();
  out.push_back(SendHeartbeat{std::move(heartbeat), speaking_links()});
}

}  // namespace nsrp::core
