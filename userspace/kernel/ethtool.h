// SPDX-License-Identifier: Apache-2.0
// The two things a NIC is asked through ethtool: its speed, and to leave VLAN tags in the frame.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "kernel/unique_fd.h"

namespace nsrp::kernel {

class Ethtool {
 public:
  static Result<Ethtool> open();

  uint32_t speed_mbps(const std::string& name) const;  // 0: unknown, or no link

  enum class VlanOffload : uint32_t { kTransmit = 1U << 7, kReceive = 1U << 8 };  // ETH_FLAG_TXVLAN, _RXVLAN
  // Returns whether that changed anything; a NIC that cannot switch it has nothing to change.
  Result<bool> set_vlan_offload(const std::string& name, VlanOffload which, bool on) const;

 private:
  explicit Ethtool(UniqueFd fd) : fd_(std::move(fd)) {}
  int call(const std::string& name, void* command) const;
  UniqueFd fd_;
};

}  // namespace nsrp::kernel
