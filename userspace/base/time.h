// SPDX-License-Identifier: Apache-2.0
// Time as the pure rooms know it: nanoseconds of CLOCK_MONOTONIC, handed in by the caller. The clock type has no
// now() on purpose; io/clock.h is the one place that reads the time.
#pragma once

#include <chrono>
#include <cstdint>

namespace nsrp {

using Duration = std::chrono::nanoseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct MonotonicClock {
  using rep = int64_t;
  using period = std::nano;
  using duration = Duration;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};
using Instant = MonotonicClock::time_point;

constexpr uint64_t to_ns(Instant t) {
  return static_cast<uint64_t>(t.time_since_epoch().count());
}
constexpr uint64_t to_ns(Duration d) {
  return static_cast<uint64_t>(d.count());
}
constexpr int64_t to_ms(Duration d) {
  return std::chrono::duration_cast<milliseconds>(d).count();
}

}  // namespace nsrp
