// SPDX-License-Identifier: Apache-2.0
// What the configuration and the monitors change while the member runs.
#include <algorithm>

#include "core/member_impl.h"

namespace nsrp::core {

FormerPace joined(const FormerPace& a, const FormerPace& b) {
  return {.shortest_interval = std::min(a.shortest_interval, b.shortest_interval),
          .longest_interval = std::max(a.longest_interval, b.longest_interval),
          .lease = std::min(a.lease, b.lease),
          .until = std::max(a.until, b.until)};
}

void Member::Impl::apply_settings(MemberSettings next) {
  const bool new_pace = next.hb_interval != settings.hb_interval || next.hb_threshold != settings.hb_threshold;
  if (new_pace && started) {
    // The peers judge us by what we advertised until they hear the new values; one lost frame must not matter.
    const FormerPace present{.shortest_interval = settings.hb_interval,
                             .longest_interval = settings.hb_interval,
                             .lease = silence_limit() - Duration(settings.hb_interval) / 2,
                             .until = now + silence_limit()};
    former_pace = former_pace && now < former_pace->until ? joined(*former_pace, present) : present;
    next_heartbeat = now;
  }
  for (auto it = vsds.begin(); it != vsds.end();) {
    const bool kept =
        std::any_of(next.vsds.begin(), next.vsds.end(), [&](const VsdSettings& vsd) { return vsd.id == it->first; });
    if (kept) {
      ++it;
      continue;
    }
    Vsd& v = it->second;
    const std::string cause = "the VSD group was removed";
    if (v.state == VsdState::kMaster) {
      step_down(v, VsdState::kInitial, Cause::kGroupRemoved, cause);
    } else if (v.state != VsdState::kInitial) {
      set_state(v, VsdState::kInitial, Cause::kGroupRemoved, cause);
    }
    it = vsds.erase(it);
  }
  next.unit = settings.unit;
  settings = std::move(next);
  for (const VsdSettings& vsd : settings.vsds) {
    const auto [it, added] = vsds.try_emplace(vsd.id);
    Vsd& v = it->second;
    if (!added && v.settings.priority != vsd.priority) stand_from = now + interval() / 2;
    if (added || v.settings.ineligible != vsd.ineligible) v.bows_out = vsd.ineligible;
    const bool comes_back = !added && v.settings.ineligible && !vsd.ineligible;
    v.settings = vsd;
    if (comes_back && v.state == VsdState::kIneligible)
      become_initial(v, Cause::kEligibleAgain, "configured as ineligible no longer");
    if (added) {
      v.since = now;
      v.cause = "the VSD group was added";
      v.hold_until = now + hold_time();
      refresh_health(v);
    }
  }
}

void Member::Impl::apply_health(std::optional<VsdId> vsd, bool operable, const std::string& reason) {
  if (!vsd) {
    device_inoperable = operable ? std::nullopt : std::optional(reason);
  } else if (operable) {
    vsd_inoperable.erase(*vsd);
  } else {
    vsd_inoperable[*vsd] = reason;
  }
  for (auto& [id, v] : vsds) refresh_health(v);
}

void Member::Impl::refresh_health(Vsd& v) {
  const auto own = vsd_inoperable.find(v.settings.id);
  v.inoperable = device_inoperable || own != vsd_inoperable.end();
  if (device_inoperable) {
    v.inoperable_because = *device_inoperable;
  } else if (own != vsd_inoperable.end()) {
    v.inoperable_because = own->second;
  }
}

}  // namespace nsrp::core
