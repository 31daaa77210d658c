// SPDX-License-Identifier: Apache-2.0
// What a Linux bridge has learned: which MAC address is behind which port (its forwarding database).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/ids.h"
#include "base/result.h"

namespace nsrp::kernel {

struct LearnedMac {
  MacAddress mac;
  IfIndex port;
  bool gone = false;  // aged, or its port left
  bool operator==(const LearnedMac&) const = default;
};

class BridgeTable {
 public:
  // The bridge need not exist yet.
  static Result<std::unique_ptr<BridgeTable>> open(std::string bridge);
  ~BridgeTable();

  Result<std::vector<LearnedMac>> all();
  Result<std::vector<IfIndex>> ports();
  // Readable when entries changed. Does not block. False: the kernel dropped events, and all() tells.
  int events_fd() const;
  bool consume_events(const std::function<void(const LearnedMac&)>& changed);

  // As if a frame had come from there: it ages like any other entry.
  Status learn(const MacAddress& mac, IfIndex port);
  Status forget_all();

 private:
  BridgeTable();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nsrp::kernel
