// SPDX-License-Identifier: Apache-2.0
#include "daemon/helper_thread.h"

#include <pthread.h>

#include <utility>

namespace nsrp::daemon {

HelperThread::~HelperThread() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void HelperThread::run(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(work));
  }
  if (thread_.joinable()) return changed_.notify_all();
  thread_ = std::thread([this] { live(); });
  pthread_setname_np(thread_.native_handle(), "nsrp-rto-helper");
}

void HelperThread::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return waiting_.empty() && !busy_; });
}

void HelperThread::live() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ends_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const std::function<void()> work = std::move(waiting_.front());
    waiting_.pop_front();
    busy_ = true;
    lock.unlock();
    work();
    lock.lock();
    busy_ = false;
    if (waiting_.empty()) changed_.notify_all();
  }
}

}  // namespace nsrp::daemon
