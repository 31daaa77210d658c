// SPDX-License-Identifier: Apache-2.0
// Two gateways whose mirror is in sync, the first one master.
#pragma once

#include <doctest/doctest.h>

#include <set>

#include "gateway.h"

namespace nsrp::test {

inline const std::set<VsdId> kVsd0 = {VsdId{0}};

// A masters VSD 0; both are connected and in sync.
struct InSyncPair : Pair {
  explicit InSyncPair(uint32_t room_at_b = Gateway::kRoom) : Pair(room_at_b) {
    a.master(kVsd0);
    meet();
    REQUIRE(eventually([&] { return a.in_sync() && b.in_sync(); }));
  }
};

inline bool all_there(Gateway& gateway, uint16_t from, uint16_t to) {
  for (uint16_t n = from; n < to; ++n) {
    if (!gateway.has(session(n))) return false;
  }
  return true;
}

}  // namespace nsrp::test
