// SPDX-License-Identifier: Apache-2.0
#include "base/ids.h"

#include <doctest/doctest.h>

#include <unordered_set>

#include "base/time.h"

using namespace nsrp;

TEST_CASE("a unit id prints as a MAC address without colons") {
  CHECK(to_string(UnitId{0x0200000000b1}) == "0200000000b1");
  CHECK(to_string(UnitId{}) == "000000000000");
}

TEST_CASE("ids compare by value and can be hashed") {
  CHECK(UnitId{2} > UnitId{1});
  CHECK(VsdId{3} == VsdId{3});
  CHECK(std::unordered_set<VsdId>{VsdId{1}, VsdId{1}, VsdId{2}}.size() == 2);
}

TEST_CASE("times convert to what the data path and people read") {
  CHECK(to_ns(Instant(milliseconds(3))) == 3'000'000);
  CHECK(to_ns(seconds(2)) == 2'000'000'000);
  CHECK(to_ms(std::chrono::microseconds(1999)) == 1);
}
