// SPDX-License-Identifier: Apache-2.0
// An event loop on io_uring: readiness of descriptors, timers, calls from other threads. One thread runs it.
//
//   auto loop = Loop::create();
//   Watch link = (*loop)->watch(socket.get(), Loop::kReadable, [&] { read_frames(); });
//   (*loop)->call_at(now() + 200ms, [&] { send_heartbeat(); });
//   (*loop)->run();
//
// In each round the loop first hands out everything that has arrived and only then runs due timers: a frame that waited
// in a socket while the process did not run counts before a timer that says "nothing was heard".
#pragma once

#include <poll.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "io/fd.h"

struct io_uring;

namespace nsrp::io {

class Loop;

// Watches a descriptor until it is destroyed. The descriptor must outlive it.
class Watch {
 public:
  Watch() = default;
  Watch(Loop* loop, uint64_t id) : loop_(loop), id_(id) {}
  Watch(Watch&& other) noexcept : loop_(std::exchange(other.loop_, nullptr)), id_(other.id_) {}
  Watch& operator=(Watch&& other) noexcept {
    std::swap(loop_, other.loop_);
    std::swap(id_, other.id_);
    return *this;
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch();

 private:
  Loop* loop_ = nullptr;
  uint64_t id_ = 0;
};

class Loop {
 public:
  using Handler = std::function<void()>;
  using TimerId = uint64_t;  // 0: none
  static constexpr short kReadable = POLLIN;
  static constexpr short kWritable = POLLOUT;

  // Fails with a sentence when the kernel or a seccomp profile refuses io_uring.
  static Result<std::unique_ptr<Loop>> create();
  ~Loop();

  // Level-triggered: `handler` runs again while the descriptor stays ready. Errors and hang-ups count as ready.
  [[nodiscard]] Watch watch(int fd, short events, Handler handler);
  TimerId call_at(Instant when, Handler handler);
  void cancel(TimerId timer);

  // From any thread: `handler` runs on the loop's thread, in order of posting.
  void post(Handler handler);
  void stop();  // from any thread: run() returns after the round

  void run();

 private:
  friend class Watch;
  struct Watched {
    int fd;
    short events;
    Handler handler;
  };

  Loop() = default;
  void arm(uint64_t id, const Watched& watched);
  void unwatch(uint64_t id);
  void wait_for_events();
  void handle_completions();
  void run_due_timers();
  void run_posted();

  std::unique_ptr<io_uring> ring_;
  std::unordered_map<uint64_t, std::shared_ptr<Watched>> watched_;
  uint64_t next_id_ = 1;
  std::multimap<Instant, std::pair<TimerId, Handler>> timers_;
  std::atomic<bool> stopped_{false};

  Fd wakeup_;
  Watch wakeup_watch_;
  std::mutex posted_mutex_;
  std::vector<Handler> posted_;
};

}  // namespace nsrp::io
