// SPDX-License-Identifier: Apache-2.0
// A member's CLOCK_MONOTONIC against the simulation's time: it starts anywhere, runs a little fast or slow, and may
// halt while the machine it belongs to is stopped.
#pragma once

#include "base/time.h"

namespace nsrp::sim {

class Clock {
 public:
  explicit Clock(Duration offset = Duration(0), int64_t ppm = 0) : offset_(offset), ppm_(ppm) {}

  Instant at(Instant world) const { return world + offset_ + Duration((world - base_).count() / 1'000'000 * ppm_); }

  // The first moment of the world at which the clock shows that.
  Instant when(Instant shown) const {
    Instant world = shown - offset_;
    for (int pass = 0; pass < 3; ++pass) world += shown - at(world);
    while (at(world) < shown) world += Duration(1);
    return world;
  }

  // It shows at `until` what it showed at `from`.
  void halted(Instant from, Instant until) { offset_ += at(from) - at(until); }

 private:
  static constexpr Instant base_{seconds(1000)};
  Duration offset_;
  int64_t ppm_;
};

}  // namespace nsrp::sim
