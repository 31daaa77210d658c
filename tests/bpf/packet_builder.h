// SPDX-License-Identifier: Apache-2.0
// Frames, layer by layer; lengths and checksums are filled in at the end.
//
//   Bytes frame = PacketBuilder().ethernet(kClient, kVmac).ipv4("10.1.1.9", "10.2.0.9").udp(4000, 53).build();
//   Bytes shorter = PacketBuilder().ethernet(…).arp_request(…).truncate(30).build();
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace nsrp::test {

using Bytes = std::vector<uint8_t>;

MacAddress mac(std::string_view text);  // both throw on nonsense
IpAddress ip(std::string_view text);

inline constexpr std::string_view kBroadcast = "ff:ff:ff:ff:ff:ff";

class PacketBuilder {
 public:
  PacketBuilder& ethernet(std::string_view source, std::string_view destination);
  PacketBuilder& ethertype(uint16_t type);
  PacketBuilder& vlan(uint16_t vid);

  PacketBuilder& arp_request(std::string_view sender_mac, std::string_view sender_ip, std::string_view target_ip);
  PacketBuilder& arp_reply(std::string_view sender_mac, std::string_view sender_ip, std::string_view target_mac,
                           std::string_view target_ip);

  PacketBuilder& ipv4(std::string_view source, std::string_view destination);
  PacketBuilder& ipv6(std::string_view source, std::string_view destination);
  PacketBuilder& hop_limit(uint8_t limit);
  PacketBuilder& claimed_length(uint16_t length);  // what the IP header says, instead of the truth
  PacketBuilder& protocol(uint8_t number);         // of a payload that comes as bytes
  PacketBuilder& fragment(uint16_t id, uint16_t offset_bytes, bool more);  // IPv4

  PacketBuilder& udp(uint16_t source_port, uint16_t destination_port);
  PacketBuilder& tcp(uint16_t source_port, uint16_t destination_port, uint8_t flags = 0x10);  // ACK
  PacketBuilder& without_checksum();                                                          // UDP
  PacketBuilder& solicit(std::string_view target, std::optional<std::string_view> source_mac);
  PacketBuilder& advertise(std::string_view target, std::string_view target_mac);

  PacketBuilder& payload(const Bytes& bytes);
  PacketBuilder& pad_to(size_t size);  // with zeros that no header counts
  PacketBuilder& truncate(size_t size);
  Bytes build() const;

 private:
  PacketBuilder& arp(uint16_t operation, const MacAddress& sender_mac, std::string_view sender_ip,
                     const MacAddress& target_mac, std::string_view target_ip);
  PacketBuilder& neighbour(uint8_t type, uint8_t flags, std::string_view target, uint8_t option,
                           std::optional<std::string_view> option_mac);
  void append(const MacAddress& address);
  void append(const IpAddress& address);
  void append16(uint16_t value);
  void follow_with(uint16_t type);  // sets the EtherType of what comes next
  void finish_ip(Bytes& bytes) const;

  Bytes bytes_;
  std::optional<size_t> type_at_, ip_at_, l4_at_;
  Family family_ = Family::kIpv4;
  uint8_t protocol_ = 0;
  std::optional<uint16_t> claimed_length_;
  bool checksum_ = true;
  size_t pad_to_ = 0, truncate_to_ = SIZE_MAX;
};

// The one's complement sum of an IPv6 packet's ICMPv6 message and its pseudo-header is all ones.
bool icmpv6_checksum_is_right(const Bytes& frame);

Bytes slice(const Bytes& bytes, size_t from, size_t size);
Bytes operator+(const Bytes& a, const Bytes& b);

// Upper layers and IPv6 extension headers as bytes, for protocol(…).payload(…). Checksums are not filled in.
Bytes ports(uint16_t source, uint16_t destination);  // as much of TCP or UDP as ICMP errors quote
Bytes icmp(uint8_t type, uint16_t id_or_rest = 0);
Bytes extension(uint8_t next, uint8_t units = 0);  // hop-by-hop, routing, destination: 8 × (units + 1) bytes
Bytes fragment_header(uint8_t next, uint32_t id, uint16_t offset_bytes, bool more);

}  // namespace nsrp::test
