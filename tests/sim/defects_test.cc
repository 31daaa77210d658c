// SPDX-License-Identifier: Apache-2.0
// Would the simulator find it? Each planted defect breaks one of the first 200 lives, which are all well without it.
#include <array>
#include <cstdio>

#include "core/defect.h"
#include "sim/play.h"

namespace nsrp::sim {

namespace {

constexpr uint64_t kSeeds = 200;

struct Planted {
  core::Defect defect;
  const char* what;
};
constexpr std::array<Planted, 6> kPlanted{{{core::Defect::kNone, "none"},
                                           {core::Defect::kLeaseMargin, "lease margin"},
                                           {core::Defect::kSyncGate, "sync gate"},
                                           {core::Defect::kTieBreak, "tie-break"},
                                           {core::Defect::kLinkEvidence, "link evidence rule"},
                                           {core::Defect::kAnnounceAfterHeal, "announce after heal"}}};

bool as_expected(const Planted& planted) {
  core::planted_defect = planted.defect;
  const bool wanted = planted.defect != core::Defect::kNone;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Outcome outcome = play(make_scenario(seed));
    if (!outcome.broken) continue;
    std::printf("%s: seed %llu: %s\n", planted.what, static_cast<unsigned long long>(seed), outcome.broken->c_str());
    return wanted;
  }
  std::printf("%s: nothing found in %llu lives\n", planted.what, static_cast<unsigned long long>(kSeeds));
  return !wanted;
}

}  // namespace

}  // namespace nsrp::sim

int main() {
  bool good = true;
  for (const nsrp::sim::Planted& planted : nsrp::sim::kPlanted) good &= nsrp::sim::as_expected(planted);
  return good ? 0 : 1;
}
