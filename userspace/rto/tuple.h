// SPDX-License-Identifier: Apache-2.0
// A flow's tuple as a key of hash containers. nsrp_tuple has no padding, so its bytes are its value.
#pragma once

#include <array>
#include <bit>
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

}  // namespace nsrp::rto
