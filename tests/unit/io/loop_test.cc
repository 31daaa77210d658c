// SPDX-License-Identifier: Apache-2.0
#include "io/loop.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <thread>

#include "io/clock.h"

using namespace nsrp;
using namespace nsrp::io;

namespace {

struct Pair {
  Pair() {
    std::array<int, 2> fds{};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds.data()) == 0);
    left = Fd(fds[0]);
    right = Fd(fds[1]);
  }
  Fd left, right;
};

std::unique_ptr<Loop> make_loop() {
  Result<std::unique_ptr<Loop>> loop = Loop::create();
  REQUIRE_MESSAGE(loop.has_value(), (loop ? "" : loop.error().message));
  return std::move(*loop);
}

}  // namespace

TEST_CASE("timers run in the order of their times, and a cancelled one does not run") {
  const auto loop = make_loop();
  std::string order;
  const Instant start = now();
  loop->call_at(start + milliseconds(30), [&] {
    order += "c";
    loop->stop();
  });
  loop->call_at(start + milliseconds(10), [&] { order += "a"; });
  const Loop::TimerId cancelled = loop->call_at(start + milliseconds(15), [&] { order += "x"; });
  loop->call_at(start + milliseconds(20), [&] { order += "b"; });
  loop->cancel(cancelled);
  loop->run();
  CHECK(order == "abc");
  CHECK(now() >= start + milliseconds(30));
}

TEST_CASE("a descriptor that stays ready is reported again") {
  const auto loop = make_loop();
  const Pair pair;
  REQUIRE(write(pair.left.get(), "abc", 3) == 3);
  std::string got;
  const Watch watch = loop->watch(pair.right.get(), Loop::kReadable, [&] {
    char c = 0;
    REQUIRE(read(pair.right.get(), &c, 1) == 1);
    got += c;
    if (got.size() == 3) loop->stop();
  });
  loop->run();
  CHECK(got == "abc");
}

TEST_CASE("what has arrived counts before a timer that is due") {
  const auto loop = make_loop();
  const Pair pair;
  REQUIRE(write(pair.left.get(), "h", 1) == 1);
  std::string order;
  Watch watch = loop->watch(pair.right.get(), Loop::kReadable, [&] {
    char c = 0;
    REQUIRE(read(pair.right.get(), &c, 1) == 1);
    order += "heard ";
  });
  // Due long ago, as after the process was stopped for a while.
  loop->call_at(now() - seconds(5), [&] {
    order += "timer";
    loop->stop();
  });
  loop->run();
  CHECK(order == "heard timer");
}

TEST_CASE("a watch that ended, also from within its own handler, reports nothing more") {
  const auto loop = make_loop();
  const Pair pair;
  REQUIRE(write(pair.left.get(), "ab", 2) == 2);
  int reports = 0;
  Watch watch;
  watch = loop->watch(pair.right.get(), Loop::kReadable, [&] {
    ++reports;
    watch = Watch();
    loop->call_at(now() + milliseconds(20), [&] { loop->stop(); });
  });
  loop->run();
  CHECK(reports == 1);
}

TEST_CASE("posts from other threads all run, those of one thread in their order") {
  const auto loop = make_loop();
  constexpr int kThreads = 4, kPosts = 500;
  std::array<int, kThreads> next{};
  int total = 0;
  bool in_order = true;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPosts; ++i) {
        loop->post([&, t, i] {
          in_order = in_order && next[static_cast<size_t>(t)] == i;
          next[static_cast<size_t>(t)] = i + 1;
          if (++total == kThreads * kPosts) loop->stop();
        });
      }
    });
  }
  loop->run();
  for (std::thread& thread : threads) thread.join();
  CHECK(total == kThreads * kPosts);
  CHECK(in_order);
}
