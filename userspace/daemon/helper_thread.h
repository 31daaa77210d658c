// SPDX-License-Identifier: Apache-2.0
// A second pair of hands: work that may go on while its owner does something else that needs none of it.
//
//   helper.run([&] { first_half(); });
//   second_half();
//   helper.wait();
//
// The thread is made with the first work, with the niceness and the network namespace of who gives it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace nsrp::daemon {

class HelperThread {
 public:
  HelperThread() = default;
  ~HelperThread();  // waits for all work
  HelperThread(const HelperThread&) = delete;
  HelperThread& operator=(const HelperThread&) = delete;

  void run(std::function<void()> work);  // one after the other, in this order
  void wait();                           // until all is done

 private:
  void live();

  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool busy_ = false, ends_ = false;
};

}  // namespace nsrp::daemon
