// SPDX-License-Identifier: Apache-2.0
#include "wire/replay_window.h"

#include <doctest/doctest.h>

#include <random>
#include <set>

using nsrp::wire::ReplayWindow;

TEST_CASE("what came before the window began counts as seen") {
  const ReplayWindow window(5000);
  for (uint64_t counter = 0; counter <= 5000; ++counter) REQUIRE_FALSE(window.fresh(counter));
  CHECK(window.fresh(5001));
}

TEST_CASE("each counter is taken once, in any order within the window") {
  ReplayWindow window(0);
  for (uint64_t counter = 1000; counter >= 1; --counter) {
    CHECK(window.fresh(counter));
    window.mark(counter);
    CHECK_FALSE(window.fresh(counter));
  }
  for (uint64_t counter = 0; counter <= 1000; ++counter) CHECK_FALSE(window.fresh(counter));
}

TEST_CASE("the edges of the window") {
  ReplayWindow window(0);
  window.mark(5000);
  CHECK(window.fresh(5000 - ReplayWindow::kSize + 1));
  CHECK_FALSE(window.fresh(5000 - ReplayWindow::kSize));
  window.mark(5000 + ReplayWindow::kSize - 1);
  CHECK_FALSE(window.fresh(5000));
  CHECK(window.fresh(5001));
  window.mark(5000 + ReplayWindow::kSize);
  CHECK_FALSE(window.fresh(5000));
  CHECK(window.fresh(5001));
  window.mark(UINT64_MAX);
  CHECK_FALSE(window.fresh(UINT64_MAX));
  CHECK(window.fresh(UINT64_MAX - 1));
  CHECK_FALSE(window.fresh(5001));
}

TEST_CASE("it agrees with a set of all counters ever seen") {
  std::mt19937_64 random(7);
  ReplayWindow window(100);
  std::set<uint64_t> seen;
  uint64_t top = 100;
  for (int i = 0; i < 200000; ++i) {
    const uint64_t spread = random() % 10 == 0 ? 5000 : 30;
    const uint64_t counter = top + random() % spread - std::min<uint64_t>(top, random() % 1500);
    const bool fresh = counter > 100 && !seen.contains(counter) && counter + ReplayWindow::kSize > top;
    REQUIRE(window.fresh(counter) == fresh);
    if (!fresh) continue;
    window.mark(counter);
    seen.insert(counter);
    top = std::max(top, counter);
  }
}
