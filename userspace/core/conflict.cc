// SPDX-License-Identifier: Apache-2.0
// Two masters of one VSD hear each other: the heartbeat path was cut and has healed. Both apply the same rule to the
// same numbers, so one of them goes.
#include "core/defect.h"
#include "core/member_impl.h"

namespace nsrp::core {

// The later mastership is the one the network was told about last.
bool beats(const Claim& a, const Claim& b) {
  if (a.deaf != b.deaf) return a.deaf;
  if (a.term != b.term) return a.term > b.term;
  if (a.priority != b.priority) return a.priority < b.priority;
  return a.unit > b.unit;
}

// A third member hears us and another master, whom we cannot hear, and follows that one.
bool Member::Impl::yields_to_hearsay(Vsd& v) {
  for (const auto& [unit, peer] : peers) {
    const VsdAdvert* advert = direct(peer) ? peer.advert(v.settings.id) : nullptr;
    if (advert == nullptr || advert->follows == UnitId{} || advert->follows == settings.unit) continue;
    if (advert->term < v.term || fresh_hearing(peer, advert->follows) == nullptr) continue;
    const Hearing* hearing = hearing_of_us(peer);
    const bool knows_us = hearing != nullptr && !hearing->relayed &&
                          static_cast<int32_t>(hearing->sequence - static_cast<uint32_t>(v.told_from)) >= 0;
    if (advert->term == v.term && !knows_us) continue;
    const UnitId other = advert->follows;
    out.push_back(Conflict{v.settings.id, other, false});
    step_down(v, VsdState::kBackup, Cause::kYielded,
              "two masters: " + to_string(unit) + " hears " + to_string(other) + ", too, and follows that one");
    return true;
  }
  return false;
}

void Member::Impl::meet_other_masters(Vsd& v) {
  if (yields_to_hearsay(v)) return;
  const Claim own{false, v.term, v.settings.priority, settings.unit};
  for (const auto& [unit, peer] : peers) {
    const VsdAdvert* advert = direct(peer) ? peer.advert(v.settings.id) : nullptr;
    if (advert == nullptr || advert->state != VsdState::kMaster) {
      // It may have told the network of itself until now.
      if (v.conflicts.erase(unit) > 0) announce_again(v);
      continue;
    }
    if (beats({false, advert->term, advert->priority, unit}, own)) {
      out.push_back(Conflict{v.settings.id, unit, false});
      step_down(v, VsdState::kBackup, Cause::kYielded,
                "two masters: " + to_string(unit) + " stays master with term " + std::to_string(advert->term) +
                    " and priority " + std::to_string(advert->priority) + " against term " + std::to_string(own.term) +
                    " and priority " + std::to_string(own.priority));
      return;
    }
    if (v.conflicts.insert(unit).second) {
      out.push_back(Conflict{v.settings.id, unit, true});
      announce_again(v);
      speak_now = true;
    }
  }
}

}  // namespace nsrp::core
