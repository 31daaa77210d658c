// SPDX-License-Identifier: Apache-2.0
#include "wire/announcement.h"

#include <algorithm>
#include <array>

namespace nsrp::wire {

namespace {

using Bytes = std::vector<uint8_t>;

void put(Bytes& out, std::initializer_list<uint8_t> bytes) {
  out.insert(out.end(), bytes);
}
void put(Bytes& out, const MacAddress& mac) {
  out.insert(out.end(), mac.bytes.begin(), mac.bytes.end());
}
void put(Bytes& out, const IpAddress& address) {
  out.insert(out.end(), address.bytes.begin(), address.bytes.begin() + static_cast<std::ptrdiff_t>(address.size()));
}

constexpr MacAddress kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
constexpr MacAddress kAllNodesMac{{0x33, 0x33, 0, 0, 0, 1}};
constexpr IpAddress kAllNodes{Family::kIpv6, {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
constexpr size_t kShortestFrame = 60;

Bytes gratuitous_arp(const MacAddress& mac, const IpAddress& address) {
  Bytes frame;
  put(frame, kBroadcast);
  put(frame, mac);
  put(frame, {0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1});  // ARP, Ethernet, IPv4, request
  put(frame, mac);
  put(frame, address);
  put(frame, MacAddress{});
  put(frame, address);
  frame.resize(std::max(frame.size(), kShortestFrame));
  return frame;
}

// RFC 1071 over the pseudo-header of RFC 8200, 8.1, and the message.
uint16_t icmpv6_checksum(const IpAddress& source, const IpAddress& destination, const Bytes& message) {
  uint32_t sum = static_cast<uint32_t>(message.size()) + 58;
  const auto add = [&sum](const auto& bytes) {
    for (size_t i = 0; i < bytes.size(); ++i) sum += static_cast<uint32_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
  };
  add(source.bytes);
  add(destination.bytes);
  add(message);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

Bytes neighbour_advertisement(const MacAddress& mac, const IpAddress& address) {
  Bytes message;
  put(message, {136, 0, 0, 0, 0xa0, 0, 0, 0});  // flags: router, override; not solicited
  put(message, address);
  put(message, {2, 1});  // target link-layer address
  put(message, mac);
  const uint16_t checksum = icmpv6_checksum(address, kAllNodes, message);
  message[2] = static_cast<uint8_t>(checksum >> 8);
  message[3] = static_cast<uint8_t>(checksum);

  Bytes frame;
  put(frame, kAllNodesMac);
  put(frame, mac);
  put(frame, {0x86, 0xdd, 0x60, 0, 0, 0, 0, static_cast<uint8_t>(message.size()), 58, 255});
  put(frame, address);
  put(frame, kAllNodes);
  frame.insert(frame.end(), message.begin(), message.end());
  return frame;
}

}  // namespace

std::vector<uint8_t> learning_frame(const MacAddress& mac) {
  Bytes frame;
  put(frame, kBroadcast);
  put(frame, mac);
  put(frame, {0x80, 0x35, 0, 1, 0x08, 0, 6, 4, 0, 3});  // reverse ARP, Ethernet, IPv4, request
  put(frame, mac);
  put(frame, IpAddress{});
  put(frame, mac);
  put(frame, IpAddress{});
  frame.resize(kShortestFrame);
  return frame;
}

std::vector<uint8_t> announcement(const MacAddress& virtual_mac, const IpAddress& address) {
  return address.family == Family::kIpv4 ? gratuitous_arp(virtual_mac, address)
                                         : neighbour_advertisement(virtual_mac, address);
}

}  // namespace nsrp::wire
