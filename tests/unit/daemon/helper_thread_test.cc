// SPDX-License-Identifier: Apache-2.0
#include "daemon/helper_thread.h"

#include <doctest/doctest.h>

#include <atomic>
#include <vector>

namespace nsrp::daemon {

TEST_CASE("a helper does all its work, in order, on a thread of its own") {
  HelperThread helper;
  std::vector<int> done;
  std::thread::id where;
  for (int i = 0; i < 1000; ++i) helper.run([&, i] { done.push_back(i); });
  helper.run([&] { where = std::this_thread::get_id(); });
  helper.wait();
  REQUIRE(done.size() == 1000);
  for (int i = 0; i < 1000; ++i) CHECK(done[static_cast<size_t>(i)] == i);
  CHECK(where != std::this_thread::get_id());
}

TEST_CASE("a helper can be waited for without work, and again after more of it") {
  HelperThread helper;
  helper.wait();
  int done = 0;
  for (int round = 1; round <= 100; ++round) {
    helper.run([&] { ++done; });
    helper.wait();
    CHECK(done == round);
  }
}

TEST_CASE("a helper works while its owner goes on") {
  HelperThread helper;
  std::atomic<bool> let_go{false}, done{false};
  helper.run([&] {
    while (!let_go) std::this_thread::yield();
    done = true;
  });
  CHECK_FALSE(done);
  let_go = true;
  helper.wait();
  CHECK(done);
}

TEST_CASE("what was given to a helper is done before it ends") {
  std::atomic<int> done{0};
  {
    HelperThread helper;
    for (int i = 0; i < 100; ++i) helper.run([&] { ++done; });
  }
  CHECK(done == 100);
}

}  // namespace nsrp::daemon
