// SPDX-License-Identifier: Apache-2.0
// A key of 256 bits that wipes itself. It has no stream operator and is never printed.
#pragma once

#include <array>
#include <cstdint>

namespace nsrp::wire {

class SecretKey {
 public:
  static constexpr size_t kBytes = 32;

  SecretKey() = default;
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  ~SecretKey();

  const uint8_t* data() const { return bytes_.data(); }
  uint8_t* data() { return bytes_.data(); }

 private:
  std::array<uint8_t, kBytes> bytes_{};
};

}  // namespace nsrp::wire
