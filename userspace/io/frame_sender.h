// SPDX-License-Identifier: Apache-2.0
// Sends whole Ethernet frames on any interface, as if the stack did: through traffic control, with a mark, and with a
// checksum that the interface still has to finish.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/ids.h"
#include "base/result.h"
#include "io/fd.h"

namespace nsrp::io {

// The frame's one's complement sum from `start` on is to be put, complemented, `offset` bytes behind that.
struct OpenChecksum {
  uint16_t start, offset;
};

class FrameSender {
 public:
  static Result<FrameSender> open();

  // False: the kernel did not take it (the interface is gone or down, its queue full).
  bool send(IfIndex ifindex, std::span<const uint8_t> frame, uint32_t mark, std::optional<OpenChecksum> checksum) const;

 private:
  explicit FrameSender(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace nsrp::io
