// SPDX-License-Identifier: Apache-2.0
// The heartbeat as a raw Ethernet frame on an HA link; every field in docs/protocol.md.
//
//   std::vector<uint8_t> bytes = encode(frame);
//   tl::expected<HeartbeatFrame, Drop> frame = decode(bytes, our_cluster, our_unit);
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/ids.h"
#include "core/action.h"
#include "core/message.h"

namespace nsrp::wire {

inline constexpr uint16_t kEtherType = 0x88b5;  // NSRP_ETHERTYPE of the ABI
inline constexpr uint8_t kVersion = 1;
inline constexpr size_t kMaxFrameBytes = 1514;

struct HeartbeatFrame {
  MacAddress source;          // destination is broadcast
  ClusterId cluster;
  core::LinkIndex link;       // the sender's link it left on
  IpAddress link_local;       // the sender's IPv6 link-local address there, for the RTO connection; may be ::
  uint64_t config_checksum = 0;
  core::Heartbeat heartbeat;

  bool operator==(const HeartbeatFrame&) const = default;
};

// Why a frame was dropped. Each has a counter.
enum class Drop : uint8_t { kMalformed, kWrongVersion, kWrongCluster, kOwnEcho, kCount };
std::string_view to_string(Drop drop);

std::vector<uint8_t> encode(const HeartbeatFrame& frame);
tl::expected<HeartbeatFrame, Drop> decode(std::span<const uint8_t> bytes, ClusterId own_cluster, UnitId own_unit);

}  // namespace nsrp::wire
