// SPDX-License-Identifier: Apache-2.0
// Two masters of one VSD hear each other: the heartbeat path was cut and has healed. Both apply the same rule to the
// same numbers, so one of them goes.
#include "core/member_impl.h"

namespace nsrp::core {

namespace {

struct Claim {
  uint64_t term;
  uint8_t priority;
  UnitId unit;
};

// The later mastership is the one the network was told about last.
bool beats(const Claim& a, const Claim& b) {
  if (a.term != b.term) return a.term > b.term;
  if (a.priority != b.priority) return a.priority < b.priority;
  return a.unit > b.unit;
}

}  // namespace

void Member::Impl::meet_other_masters(Vsd& v) {
  const Claim own{v.term, v.settings.priority, settings.unit};
  for (const auto& [unit, peer] : peers) {
    const VsdAdvert* advert = peer.alive ? peer.advert(v.settings.id) : nullptr;
    if (advert == nullptr || advert->state != VsdState::kMaster) {
      v.conflicts.erase(unit);
      continue;
    }
    if (beats({advert->term, advert->priority, unit}, own)) {
      out.push_back(Conflict{v.settings.id, unit, false});
      step_down(v, VsdState::kBackup,
                "two masters: " + to_string(unit) + " stays master with term " + std::to_string(advert->term) +
                    " and priority " + std::to_string(advert->priority) + " against term " + std::to_string(own.term) +
                    " and priority " + std::to_string(own.priority));
      return;
    }
    if (v.conflicts.insert(unit).second) {
      out.push_back(Conflict{v.settings.id, unit, true});
      start_announcing(v);
      speak_now = true;
    }
  }
}

}  // namespace nsrp::core
