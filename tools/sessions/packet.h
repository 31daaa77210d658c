// SPDX-License-Identifier: Apache-2.0
// UDP packets, each the first of a session: numbered, so that any number of sessions can be made and named again.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "flow.h"

namespace nsrp::sessions {

inline constexpr uint16_t kFirstPort = 1024;
inline constexpr uint32_t kPorts = 65536 - kFirstPort;

// From one address to another, source port and destination port by the number: no two share both.
struct Numbering {
  Address from{}, to{};
  uint16_t first_to_port = 20000;
  Direction at(uint64_t number) const;
};

#pragma pack(push, 1)
struct UdpPacket {  // IPv4 (RFC 791), UDP without a checksum (RFC 768), eight bytes of payload
  uint8_t version_and_length = 0x45, service = 0;
  uint16_t total_length = 0, id = 0, fragment = 0;
  uint8_t ttl = 64, protocol = 17;
  uint16_t header_checksum = 0;
  uint8_t from[4], to[4];
  uint16_t from_port = 0, to_port = 0, udp_length = 0, udp_checksum = 0;
  uint64_t payload = 0;
};
#pragma pack(pop)

UdpPacket packet_of(const Direction& direction);

}  // namespace nsrp::sessions
