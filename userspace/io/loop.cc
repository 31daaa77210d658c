// SPDX-License-Identifier: Apache-2.0
#include "io/loop.h"

#include <liburing.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "io/clock.h"

namespace nsrp::io {

namespace {

constexpr unsigned kRingEntries = 256;
constexpr seconds kLongestWait{3600};
// User data of requests whose completion nobody waits for.
constexpr uint64_t kIgnored = 0;

}  // namespace

Watch::~Watch() {
  if (loop_) loop_->unwatch(id_);
}

Result<std::unique_ptr<Loop>> Loop::create() {
  std::unique_ptr<Loop> loop(new Loop);
  auto ring = std::make_unique<io_uring>();
  if (const int error = io_uring_queue_init(kRingEntries, ring.get(), 0); error < 0) {
    return fail("io_uring is not available (" + std::string(std::strerror(-error)) +
                "): the kernel or a seccomp profile refuses it; allow io_uring_setup, io_uring_enter and "
                "io_uring_register for this service");
  }
  loop->ring_ = std::move(ring);
  loop->wakeup_ = Fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!loop->wakeup_) return fail("cannot create an eventfd: " + std::string(std::strerror(errno)));
  Loop* self = loop.get();
  loop->wakeup_watch_ = loop->watch(loop->wakeup_.get(), kReadable, [self] { self->run_posted(); });
  return loop;
}

Loop::~Loop() {
  wakeup_watch_ = Watch();
  if (ring_) io_uring_queue_exit(ring_.get());
}

Watch Loop::watch(int fd, short events, Handler handler) {
  const uint64_t id = next_id_++;
  auto watched = std::make_shared<Watched>(Watched{fd, events, std::move(handler)});
  arm(id, *watched);
  watched_.emplace(id, std::move(watched));
  return Watch(this, id);
}

void Loop::arm(uint64_t id, const Watched& watched) {
  io_uring_sqe* request = io_uring_get_sqe(ring_.get());
  while (!request) {  // the submission queue is full: give it to the kernel
    io_uring_submit(ring_.get());
    request = io_uring_get_sqe(ring_.get());
  }
  io_uring_prep_poll_add(request, watched.fd, static_cast<unsigned>(watched.events));
  io_uring_sqe_set_data64(request, id);
}

void Loop::unwatch(uint64_t id) {
  if (watched_.erase(id) == 0 || !ring_) return;
  io_uring_sqe* request = io_uring_get_sqe(ring_.get());
  while (!request) {
    io_uring_submit(ring_.get());
    request = io_uring_get_sqe(ring_.get());
  }
  io_uring_prep_poll_remove(request, id);
  io_uring_sqe_set_data64(request, kIgnored);
  // The owner closes the descriptor next: the kernel must have let go of it by then.
  io_uring_submit(ring_.get());
}

Loop::TimerId Loop::call_at(Instant when, Handler handler) {
  const TimerId id = next_id_++;
  timers_.emplace(when, std::pair(id, std::move(handler)));
  return id;
}

void Loop::cancel(TimerId timer) {
  for (auto it = timers_.begin(); it != timers_.end(); ++it) {
    if (it->second.first == timer) {
      timers_.erase(it);
      return;
    }
  }
}

void Loop::post(Handler handler) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(handler));
  }
  eventfd_write(wakeup_.get(), 1);
}

void Loop::stop() {
  stopped_ = true;
  eventfd_write(wakeup_.get(), 1);
}

void Loop::run() {
  while (!stopped_) {
    wait_for_events();
    handle_completions();
    run_due_timers();
  }
}

void Loop::wait_for_events() {
  Duration wait = kLongestWait;
  if (!timers_.empty()) wait = std::clamp(timers_.begin()->first - now(), Duration(0), wait);
  __kernel_timespec timeout{wait.count() / 1'000'000'000, wait.count() % 1'000'000'000};
  io_uring_cqe* completion = nullptr;
  io_uring_submit_and_wait_timeout(ring_.get(), &completion, 1, &timeout, nullptr);
}

void Loop::handle_completions() {
  std::vector<uint64_t> ready;
  io_uring_cqe* completion = nullptr;
  while (io_uring_peek_cqe(ring_.get(), &completion) == 0) {
    const uint64_t id = io_uring_cqe_get_data64(completion);
    if (id != kIgnored && completion->res != -ECANCELED) ready.push_back(id);
    io_uring_cqe_seen(ring_.get(), completion);
  }
  for (uint64_t id : ready) {
    const auto found = watched_.find(id);
    if (found == watched_.end()) continue;                   // unwatched meanwhile
    const std::shared_ptr<Watched> watched = found->second;  // the handler may unwatch itself
    watched->handler();
    if (watched_.contains(id)) arm(id, *watched);
  }
}

void Loop::run_due_timers() {
  const Instant until = now();
  while (!timers_.empty() && timers_.begin()->first <= until) {
    const Handler handler = std::move(timers_.begin()->second.second);
    timers_.erase(timers_.begin());
    handler();
  }
}

void Loop::run_posted() {
  eventfd_t count = 0;
  eventfd_read(wakeup_.get(), &count);
  std::vector<Handler> batch;
  {
    const std::lock_guard lock(posted_mutex_);
    batch.swap(posted_);
  }
  for (const Handler& handler : batch) handler();
}

}  // namespace nsrp::io
