// SPDX-License-Identifier: Apache-2.0
// Where the kernel would send a packet that this device forwards.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/address.h"
#include "base/ids.h"
#include "base/result.h"
#include "kernel/unique_fd.h"

namespace nsrp::kernel {

struct NextHop {
  IfIndex ifindex;
  IpAddress address;  // of the router, or of the destination itself
};

class RouteLookup {
 public:
  static Result<std::unique_ptr<RouteLookup>> open();
  // nullopt: nowhere, or to this device itself. Rules that look at more than the destination have no say.
  Result<std::optional<NextHop>> next_hop(const IpAddress& destination);

 private:
  explicit RouteLookup(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
  uint32_t sequence_ = 0;
};

}  // namespace nsrp::kernel
