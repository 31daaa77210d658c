// SPDX-License-Identifier: Apache-2.0
// Chance that is the same on every machine, which the distributions of the standard library are not.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace nsrp::sim {

constexpr uint64_t mix(uint64_t x) {  // the finaliser of SplitMix64
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

class Chance {
 public:
  explicit Chance(uint64_t seed) : state_(mix(seed)) {}

  uint64_t next() { return mix(state_++); }
  uint64_t pick(uint64_t n) { return next() % n; }  // 0 … n - 1
  bool permille(unsigned n) { return pick(1000) < n; }
  bool percent(unsigned n) { return pick(100) < n; }
  Duration up_to(Duration most) {
    return Duration(static_cast<int64_t>(pick(static_cast<uint64_t>(most.count()) + 1)));
  }
  Duration between(Duration least, Duration most) { return least + up_to(most - least); }

 private:
  uint64_t state_;
};

}  // namespace nsrp::sim
