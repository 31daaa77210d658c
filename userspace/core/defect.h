// SPDX-License-Identifier: Apache-2.0
// Mistakes the simulator plants to prove that it would find them. A product has none: defect() is constexpr false there
// and leaves no trace. Only the room's second build, with NSRP_DEFECTS (tests/sim), asks a variable.
#pragma once

#include <cstdint>

namespace nsrp::core {

enum class Defect : uint8_t {
  kNone,
  kLeaseMargin,        // a lease lasts a little longer than the peer's patience
  kSyncGate,           // a member without its RTOs calls itself in sync
  kTieBreak,           // of two with the same priority each takes itself for the better one
  kLinkEvidence,       // a link counts as alive although only one side hears the other on it
  kAnnounceAfterHeal,  // who stays master after two have met does not announce again
};

#ifdef NSRP_DEFECTS
inline Defect planted_defect = Defect::kNone;
inline bool defect(Defect kind) {
  return planted_defect == kind;
}
#else
constexpr bool defect(Defect) {
  return false;
}
#endif

}  // namespace nsrp::core
