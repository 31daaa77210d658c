// SPDX-License-Identifier: Apache-2.0
// A set of VSD groups. Ids are 0..63, so it is one number, and that number is what goes over the wire.
#pragma once

#include <cstdint>

#include "base/ids.h"
#include "nsrp/abi/nsrp_abi.h"

namespace nsrp::rto {

class VsdSet {
 public:
  static_assert(NSRP_MAX_VSDS == 64);

  constexpr VsdSet() = default;
  static constexpr VsdSet from_bits(uint64_t bits) {
    VsdSet set;
    set.bits_ = bits;
    return set;
  }

  constexpr uint64_t bits() const { return bits_; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr bool contains(VsdId vsd) const { return vsd.value < 64 && (bits_ >> vsd.value & 1) != 0; }
  constexpr void insert(VsdId vsd) {
    if (vsd.value < 64) bits_ |= uint64_t{1} << vsd.value;
  }

  friend constexpr VsdSet operator|(VsdSet a, VsdSet b) { return from_bits(a.bits_ | b.bits_); }
  friend constexpr VsdSet operator&(VsdSet a, VsdSet b) { return from_bits(a.bits_ & b.bits_); }
  friend constexpr VsdSet operator-(VsdSet a, VsdSet b) { return from_bits(a.bits_ & ~b.bits_); }
  constexpr bool operator==(const VsdSet&) const = default;

 private:
  uint64_t bits_ = 0;
};

}  // namespace nsrp::rto
