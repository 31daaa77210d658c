// SPDX-License-Identifier: Apache-2.0
// Reading the whole conntrack table in steps, with any time in between. The kernel keeps the place; an entry that is
// there from the first step to the last is read once, or twice when the table is resized meanwhile.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "kernel/session_table.h"
#include "kernel/unique_fd.h"

namespace nsrp::kernel {

class ConntrackReader {
 public:
  static Result<std::unique_ptr<ConntrackReader>> begin();
  // Appends the next entries, about `limit` of them. Only what conntrack says is filled in: times and VSD are not.
  Status read(size_t limit, std::vector<SessionEntry>& entries);
  bool at_end() const { return at_end_; }

 private:
  explicit ConntrackReader(UniqueFd fd) : fd_(std::move(fd)), buffer_(kBuffer) {}
  static constexpr size_t kBuffer = 1 << 15;
  UniqueFd fd_;
  std::vector<char> buffer_;
  bool at_end_ = false;
};

}  // namespace nsrp::kernel
