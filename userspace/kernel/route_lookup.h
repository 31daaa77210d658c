// SPDX-License-Identifier: Apache-2.0
// Where the kernel would send a packet that this device forwards.
#pragma once

#include <memory>
#include <optional>

#include "base/address.h"
#include "base/ids.h"
#include "base/result.h"
#include "kernel/rtnetlink.h"

namespace nsrp::kernel {

struct NextHop {
  IfIndex ifindex;
  IpAddress address;  // of the router, or of the destination itself
};

class RouteLookup {
 public:
  static Result<RouteLookup> open();
  // nullopt: nowhere, or to this device itself. Rules that look at more than the destination have no say.
  std::optional<NextHop> next_hop(const IpAddress& destination);

 private:
  explicit RouteLookup(std::unique_ptr<Rtnetlink> rtnetlink) : rtnetlink_(std::move(rtnetlink)) {}
  std::unique_ptr<Rtnetlink> rtnetlink_;
};

}  // namespace nsrp::kernel
