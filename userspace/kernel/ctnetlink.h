// SPDX-License-Identifier: Apache-2.0
// A ctnetlink request socket. Many requests go out in one system call; the kernel works on them in order and reports
// each failure by sequence number, and only the last success. A dump goes out alone.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "kernel/ctnetlink_message.h"
#include "kernel/unique_fd.h"

namespace nsrp::kernel::ctnetlink {

class Channel {
 public:
  static Result<Channel> open();

  using Write = std::function<void(nlmsghdr* message, size_t index)>;
  using Answer = std::function<void(const nlmsghdr* message, size_t index)>;
  // Writes and sends `count` requests; returns 0 or an errno for each. `answer` gets what the kernel sends besides.
  Result<std::vector<int>> run(size_t count, const Write& write, const Answer& answer = nullptr);

 private:
  explicit Channel(UniqueFd fd);
  Status send_batch(size_t first, size_t count, const Write& write);
  // Until the last request of the batch is answered.
  Status receive_batch(size_t first, size_t count, const Answer& answer, std::vector<int>& verdicts);
  UniqueFd fd_;
  uint32_t sequence_ = 0;  // of the first message of the present batch
  std::vector<char> outgoing_, incoming_;
};

}  // namespace nsrp::kernel::ctnetlink
