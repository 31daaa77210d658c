// SPDX-License-Identifier: Apache-2.0
// A flow's tuple as a key of hash containers, and as bytes for other devices. nsrp_tuple has no padding, so its bytes
// are its value.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "nsrp/abi/nsrp_abi.h"

namespace nsrp::rto {

struct TupleEqual {
  bool operator()(const nsrp_tuple& a, const nsrp_tuple& b) const noexcept {
    return std::memcmp(&a, &b, sizeof a) == 0;
  }
};

struct TupleHash {
  size_t operator()(const nsrp_tuple& tuple) const noexcept {
    std::array<uint64_t, sizeof(nsrp_tuple) / sizeof(uint64_t)> words{};
    std::memcpy(words.data(), &tuple, sizeof tuple);
    uint64_t hash = 0x9e3779b97f4a7c15u;
    for (const uint64_t word : words) hash = std::rotl((hash ^ word) * 0xff51afd7ed558ccdu, 29);
    return hash ^ (hash >> 32);
  }
};

inline constexpr size_t kTupleBytes = sizeof(nsrp_tuple);
using TupleBytes = std::array<uint8_t, kTupleBytes>;

// As it is in memory, but for the zone: addresses and ports are in network order everywhere.
inline TupleBytes to_bytes(const nsrp_tuple& tuple) {
  TupleBytes bytes;
  std::memcpy(bytes.data(), &tuple, bytes.size());
  bytes[kTupleBytes - 2] = static_cast<uint8_t>(tuple.zone >> 8);
  bytes[kTupleBytes - 1] = static_cast<uint8_t>(tuple.zone & 0xff);
  return bytes;
}
inline nsrp_tuple to_tuple(const uint8_t* bytes) {
  nsrp_tuple tuple;
  std::memcpy(&tuple, bytes, sizeof tuple);
  tuple.zone = static_cast<nsrp_u16>(bytes[kTupleBytes - 2] << 8 | bytes[kTupleBytes - 1]);
  return tuple;
}
static_assert(offsetof(nsrp_tuple, zone) == kTupleBytes - 2);

}  // namespace nsrp::rto
