// SPDX-License-Identifier: Apache-2.0
// Two mirrors, of which one masters what there is.
#pragma once

#include "world.h"

namespace nsrp::rto::test {

constexpr VsdSet kVsd0 = VsdSet::from_bits(1), kVsd1 = VsdSet::from_bits(2);

// Side 0 masters VSD 0, side 1 nothing; connected and quiet.
struct Pair : World {
  explicit Pair(uint32_t sessions = 0) : World(1) {
    master(0, kVsd0);
    for (uint32_t i = 0; i < sessions; ++i) change(0, session(i));
    settle();
    connect();
    settle();
  }
  Side &a = side(0), &b = side(1);
};

}  // namespace nsrp::rto::test
