// SPDX-License-Identifier: Apache-2.0
// The heartbeat as a raw Ethernet frame on an HA link; every field in docs/protocol.md.
//
//   std::vector<uint8_t> bytes = encode(frame);
//   tl::expected<HeartbeatFrame, Drop> frame = decode(bytes, our_cluster, our_unit);
//
// Numbers are big-endian. Offsets count from the start of the frame.
//
//    0  6  destination, ff:ff:ff:ff:ff:ff        38  8  sequence
//    6  6  source                                46  8  configuration checksum
//   12  2  EtherType 0x88b5                      54 16  IPv6 link-local address, or ::
//   14  4  magic "NSRP"                          70  8  unit id of the RTO peer, 0: none
//   18  1  version, 1                            78  2  hb-interval in ms
//   19  1  type, 1 = heartbeat                   80  1  hb-threshold
//   20  1  cluster id                            81  1  flags: 1 leaving, 2 RTO mirror in use
//   21  1  sender's link                         82  2  length of all that follows the EtherType
//   22  8  unit id                               84  1  number of VSD entries, at most 64
//   30  8  boot epoch                            85  1  reserved, 0
//
// then for each VSD group, 20 bytes: VSD id, state, priority, flags (1 wants master, 2 in sync), term (8),
// unit id the VSD was handed to (8).
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
inline constexpr size_t kMaxVsds = 64;

struct HeartbeatFrame {
  MacAddress source;  // destination is broadcast
  ClusterId cluster;
  core::LinkIndex link;  // the sender's link it left on
  IpAddress link_local;  // the sender's IPv6 link-local address there, for the RTO connection; may be ::
  uint64_t config_checksum = 0;
  core::Heartbeat heartbeat;

  bool operator==(const HeartbeatFrame&) const = default;
};

// Why a frame was dropped. Each has a counter.
enum class Drop : uint8_t { kMalformed, kWrongVersion, kWrongCluster, kOwnEcho, kCount };
std::string_view to_string(Drop drop);

// Throws std::invalid_argument for what no Member says: more VSDs than kMaxVsds, an interval of 0 or beyond 65535 ms.
std::vector<uint8_t> encode(const HeartbeatFrame& frame);
tl::expected<HeartbeatFrame, Drop> decode(std::span<const uint8_t> bytes, ClusterId own_cluster, UnitId own_unit);

}  // namespace nsrp::wire
