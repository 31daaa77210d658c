// SPDX-License-Identifier: Apache-2.0
// Which counters of one sender were seen (as in RFC 4303, 3.4.3): the highest, and of the kSize below it each.
#pragma once

#include <bitset>
#include <cstdint>

namespace nsrp::wire {

class ReplayWindow {
 public:
  static constexpr uint64_t kSize = 1024;

  // Everything up to `counter` counts as seen.
  explicit ReplayWindow(uint64_t counter) : top_(counter) { seen_.set(); }

  bool fresh(uint64_t counter) const {
    if (counter > top_) return true;
    return top_ - counter < kSize && !seen_.test(counter % kSize);
  }
  // Only for a frame that is authentic.
  void mark(uint64_t counter) {
    if (counter > top_) {
      const uint64_t steps = counter - top_;
      if (steps >= kSize) seen_.reset();
      for (uint64_t i = 1; i < steps && steps < kSize; ++i) seen_.reset((top_ + i) % kSize);
      top_ = counter;
    }
    seen_.set(counter % kSize);
  }

 private:
  uint64_t top_;
  std::bitset<kSize> seen_;
};

}  // namespace nsrp::wire
