// SPDX-License-Identifier: Apache-2.0
#include "packet_builder.h"

#include <netinet/in.h>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace nsrp::test {
namespace {

constexpr size_t kEthernetBytes = 14, kIpv4Bytes = 20, kIpv6Bytes = 40;

void put16(Bytes& bytes, size_t at, size_t value) {
  bytes.at(at) = static_cast<uint8_t>(value >> 8);
  bytes.at(at + 1) = static_cast<uint8_t>(value);
}

uint32_t sum16(const Bytes& bytes, size_t from, size_t to, uint32_t sum = 0) {
  for (size_t i = from; i < to; ++i) sum += i % 2 == from % 2 ? uint32_t{bytes.at(i)} << 8 : bytes.at(i);
  return sum;
}

uint16_t fold(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

// Pseudo-header and message; the addresses begin at `addresses_at`.
uint16_t l4_sum(const Bytes& bytes, size_t addresses_at, size_t address_bytes, size_t l4_at, uint8_t protocol) {
  const auto length = static_cast<uint32_t>(bytes.size() - l4_at);
  return fold(sum16(bytes, l4_at, bytes.size(),
                    sum16(bytes, addresses_at, addresses_at + 2 * address_bytes, length + protocol)));
}

}  // namespace

MacAddress mac(std::string_view text) {
  const auto parsed = MacAddress::parse(text);
  if (!parsed) throw std::invalid_argument(parsed.error().message);
  return *parsed;
}

IpAddress ip(std::string_view text) {
  const auto parsed = IpAddress::parse(text);
  if (!parsed) throw std::invalid_argument(parsed.error().message);
  return *parsed;
}

void PacketBuilder::append(const MacAddress& address) {
  bytes_.insert(bytes_.end(), address.bytes.begin(), address.bytes.end());
}

void PacketBuilder::append(const IpAddress& address) {
  bytes_.insert(bytes_.end(), address.bytes.begin(), address.bytes.begin() + static_cast<ptrdiff_t>(address.size()));
}

void PacketBuilder::append16(uint16_t value) {
  bytes_.push_back(static_cast<uint8_t>(value >> 8));
  bytes_.push_back(static_cast<uint8_t>(value));
}

void PacketBuilder::follow_with(uint16_t type) {
  put16(bytes_, type_at_.value(), type);
}

PacketBuilder& PacketBuilder::ethernet(std::string_view source, std::string_view destination) {
  append(mac(destination));
  append(mac(source));
  type_at_ = bytes_.size();
  append16(0);
  return *this;
}

PacketBuilder& PacketBuilder::ethertype(uint16_t type) {
  follow_with(type);
  return *this;
}

PacketBuilder& PacketBuilder::vlan(uint16_t vid) {
  follow_with(0x8100);
  append16(vid);
  type_at_ = bytes_.size();
  append16(0);
  return *this;
}

PacketBuilder& PacketBuilder::arp(uint16_t operation, const MacAddress& sender_mac, std::string_view sender_ip,
                                  const MacAddress& target_mac, std::string_view target_ip) {
  follow_with(0x0806);
  append16(1);
  append16(0x0800);
  append16(0x0604);
  append16(operation);
  append(sender_mac);
  append(ip(sender_ip));
  append(target_mac);
  append(ip(target_ip));
  return *this;
}

PacketBuilder& PacketBuilder::arp_request(std::string_view sender_mac, std::string_view sender_ip,
                                          std::string_view target_ip) {
  return arp(1, mac(sender_mac), sender_ip, MacAddress{}, target_ip);
}

PacketBuilder& PacketBuilder::arp_reply(std::string_view sender_mac, std::string_view sender_ip,
                                        std::string_view target_mac, std::string_view target_ip) {
  return arp(2, mac(sender_mac), sender_ip, mac(target_mac), target_ip);
}

PacketBuilder& PacketBuilder::ipv4(std::string_view source, std::string_view destination) {
  follow_with(0x0800);
  family_ = Family::kIpv4;
  ip_at_ = bytes_.size();
  bytes_.insert(bytes_.end(), {0x45, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0});
  append(ip(source));
  append(ip(destination));
  return *this;
}

PacketBuilder& PacketBuilder::ipv6(std::string_view source, std::string_view destination) {
  follow_with(0x86dd);
  family_ = Family::kIpv6;
  ip_at_ = bytes_.size();
  bytes_.insert(bytes_.end(), {0x60, 0, 0, 0, 0, 0, 59, 64});  // 59: no next header
  append(ip(source));
  append(ip(destination));
  return *this;
}

PacketBuilder& PacketBuilder::hop_limit(uint8_t limit) {
  bytes_.at(ip_at_.value() + (family_ == Family::kIpv4 ? 8 : 7)) = limit;
  return *this;
}

PacketBuilder& PacketBuilder::claimed_length(uint16_t length) {
  claimed_length_ = length;
  return *this;
}

PacketBuilder& PacketBuilder::protocol(uint8_t number) {
  bytes_.at(ip_at_.value() + (family_ == Family::kIpv4 ? 9 : 6)) = number;
  return *this;
}

PacketBuilder& PacketBuilder::fragment(uint16_t id, uint16_t offset_bytes, bool more) {
  put16(bytes_, ip_at_.value() + 4, id);
  put16(bytes_, ip_at_.value() + 6, offset_bytes / 8u | (more ? 0x2000u : 0u));
  return *this;
}

PacketBuilder& PacketBuilder::udp(uint16_t source_port, uint16_t destination_port) {
  protocol_ = IPPROTO_UDP;
  l4_at_ = bytes_.size();
  append16(source_port);
  append16(destination_port);
  append16(0);
  append16(0);
  return *this;
}

PacketBuilder& PacketBuilder::tcp(uint16_t source_port, uint16_t destination_port, uint8_t flags) {
  protocol_ = IPPROTO_TCP;
  l4_at_ = bytes_.size();
  append16(source_port);
  append16(destination_port);
  bytes_.insert(bytes_.end(), {1, 2, 3, 4, 5, 6, 7, 8, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0});
  return *this;
}

PacketBuilder& PacketBuilder::without_checksum() {
  checksum_ = false;
  return *this;
}

PacketBuilder& PacketBuilder::neighbour(uint8_t type, uint8_t flags, std::string_view target, uint8_t option,
                                        std::optional<std::string_view> option_mac) {
  protocol_ = IPPROTO_ICMPV6;
  l4_at_ = bytes_.size();
  bytes_.insert(bytes_.end(), {type, 0, 0, 0, flags, 0, 0, 0});
  append(ip(target));
  if (option_mac) {
    bytes_.insert(bytes_.end(), {option, 1});
    append(mac(*option_mac));
  }
  return hop_limit(255);
}

PacketBuilder& PacketBuilder::solicit(std::string_view target, std::optional<std::string_view> source_mac) {
  return neighbour(135, 0, target, 1, source_mac);
}

PacketBuilder& PacketBuilder::advertise(std::string_view target, std::string_view target_mac) {
  return neighbour(136, 0xe0, target, 2, target_mac);
}

PacketBuilder& PacketBuilder::payload(const Bytes& bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  return *this;
}

PacketBuilder& PacketBuilder::pad_to(size_t size) {
  pad_to_ = size;
  return *this;
}

PacketBuilder& PacketBuilder::truncate(size_t size) {
  truncate_to_ = size;
  return *this;
}

void PacketBuilder::finish_ip(Bytes& bytes) const {
  const size_t at = *ip_at_, length = bytes.size() - at;
  const bool v4 = family_ == Family::kIpv4;
  if (l4_at_) {
    bytes.at(at + (v4 ? 9 : 6)) = protocol_;
    const bool udp = protocol_ == IPPROTO_UDP;
    const size_t l4 = *l4_at_, checksum_at = l4 + (udp ? 6 : protocol_ == IPPROTO_TCP ? 16 : 2);
    if (udp) put16(bytes, l4 + 4, bytes.size() - l4);
    const auto sum = static_cast<uint16_t>(~l4_sum(bytes, at + (v4 ? 12 : 8), v4 ? 4 : 16, l4, protocol_));
    if (checksum_) put16(bytes, checksum_at, udp && sum == 0 ? 0xffff : sum);
  }
  if (v4) {
    put16(bytes, at + 2, claimed_length_.value_or(static_cast<uint16_t>(length)));
    put16(bytes, at + 10, static_cast<uint16_t>(~fold(sum16(bytes, at, at + kIpv4Bytes))));
  } else {
    put16(bytes, at + 4, claimed_length_.value_or(static_cast<uint16_t>(length - kIpv6Bytes)));
  }
}

Bytes PacketBuilder::build() const {
  Bytes bytes = bytes_;
  if (ip_at_) finish_ip(bytes);
  if (bytes.size() < pad_to_) bytes.resize(pad_to_);
  if (bytes.size() > truncate_to_) bytes.resize(truncate_to_);
  return bytes;
}

bool icmpv6_checksum_is_right(const Bytes& frame) {
  const size_t ip_at = kEthernetBytes;
  return l4_sum(frame, ip_at + 8, 16, ip_at + kIpv6Bytes, IPPROTO_ICMPV6) == 0xffff;
}

Bytes slice(const Bytes& bytes, size_t from, size_t size) {
  if (from + size > bytes.size()) throw std::out_of_range("the frame is too short");
  const auto begin = bytes.begin() + static_cast<ptrdiff_t>(from);
  return {begin, begin + static_cast<ptrdiff_t>(size)};
}

Bytes operator+(const Bytes& a, const Bytes& b) {
  Bytes both = a;
  both.insert(both.end(), b.begin(), b.end());
  return both;
}

Bytes ports(uint16_t source, uint16_t destination) {
  Bytes bytes(8);
  put16(bytes, 0, source);
  put16(bytes, 2, destination);
  return bytes;
}

Bytes icmp(uint8_t type, uint16_t id_or_rest) {
  Bytes bytes{type, 0, 0, 0, 0, 0, 0, 0};
  put16(bytes, 4, id_or_rest);
  return bytes;
}

Bytes extension(uint8_t next, uint8_t units) {
  Bytes bytes(8 * (size_t{units} + 1));
  bytes[0] = next;
  bytes[1] = units;
  return bytes;
}

Bytes fragment_header(uint8_t next, uint32_t id, uint16_t offset_bytes, bool more) {
  Bytes bytes{next, 0, 0, 0, 0, 0, 0, 0};
  put16(bytes, 2, static_cast<size_t>(offset_bytes) | (more ? 1u : 0u));
  put16(bytes, 4, id >> 16);
  put16(bytes, 6, id & 0xffff);
  return bytes;
}

}  // namespace nsrp::test
