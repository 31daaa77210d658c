// SPDX-License-Identifier: Apache-2.0
#include "packet.h"

#include <arpa/inet.h>

#include <cstring>

namespace nsrp::sessions {
namespace {

constexpr size_t kIpBytes = 20;

uint16_t checksum(const void* header) {
  uint32_t sum = 0;
  for (size_t i = 0; i < kIpBytes; i += 2) {
    uint16_t word;
    std::memcpy(&word, static_cast<const uint8_t*>(header) + i, sizeof word);
    sum += word;
  }
  while ((sum >> 16) != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

}  // namespace

Direction Numbering::at(uint64_t number) const {
  return {from, to, static_cast<uint16_t>(kFirstPort + number % kPorts),
          static_cast<uint16_t>(first_to_port + number / kPorts)};
}

UdpPacket packet_of(const Direction& direction) {
  UdpPacket packet;
  packet.total_length = htons(sizeof packet);
  packet.udp_length = htons(sizeof packet - kIpBytes);
  std::memcpy(packet.from, direction.from.data(), sizeof packet.from);
  std::memcpy(packet.to, direction.to.data(), sizeof packet.to);
  packet.from_port = htons(direction.from_port);
  packet.to_port = htons(direction.to_port);
  packet.header_checksum = checksum(&packet);
  return packet;
}

}  // namespace nsrp::sessions
