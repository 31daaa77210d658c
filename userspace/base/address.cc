// SPDX-License-Identifier: Apache-2.0
#include "base/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace nsrp {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

uint64_t MacAddress::as_number() const {
  uint64_t number = 0;
  for (uint8_t byte : bytes) number = number << 8 | byte;
  return number;
}

Result<MacAddress> MacAddress::parse(std::string_view text) {
  const bool colons = text.size() == 17;
  if (!colons && text.size() != 12) return fail("\"" + std::string(text) + "\" is not a MAC address");
  MacAddress mac;
  for (size_t i = 0; i < 6; ++i) {
    const size_t at = i * (colons ? 3 : 2);
    const int high = hex_digit(text[at]), low = hex_digit(text[at + 1]);
    if (high < 0 || low < 0 || (colons && i > 0 && text[at - 1] != ':')) {
      return fail("\"" + std::string(text) + "\" is not a MAC address");
    }
    mac.bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return mac;
}

std::string to_string(const MacAddress& mac) {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac.bytes[0], mac.bytes[1], mac.bytes[2],
                mac.bytes[3], mac.bytes[4], mac.bytes[5]);
  return text;
}

bool IpAddress::is_unspecified() const {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t b) { return b == 0; });
}

bool IpAddress::is_multicast() const {
  return family == Family::kIpv4 ? (bytes[0] & 0xf0) == 0xe0 : bytes[0] == 0xff;
}

bool IpAddress::is_loopback() const {
  if (family == Family::kIpv4) return bytes[0] == 127;
  IpAddress one{Family::kIpv6, {}};
  one.bytes[15] = 1;
  return *this == one;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string copy(text);
  IpAddress address;
  if (inet_pton(AF_INET, copy.c_str(), address.bytes.data()) == 1) return address;
  address.family = Family::kIpv6;
  if (inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1) return address;
  return fail("\"" + copy + "\" is not an IPv4 or IPv6 address");
}

std::string to_string(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(address.family == Family::kIpv4 ? AF_INET : AF_INET6, address.bytes.data(), text, sizeof text);
  return text;
}

IpAddress Prefix::network() const {
  IpAddress net = address;
  for (size_t i = 0; i < net.bytes.size(); ++i) {
    const int bits = std::clamp(static_cast<int>(length) - static_cast<int>(i) * 8, 0, 8);
    net.bytes[i] = static_cast<uint8_t>(net.bytes[i] & (0xff00 >> bits));
  }
  return net;
}

bool Prefix::contains(const IpAddress& other) const {
  return other.family == address.family && Prefix{other, length}.network() == network();
}

Result<Prefix> Prefix::parse(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return fail("\"" + std::string(text) + "\" has no prefix length; write address/length, as 10.1.1.1/24");
  }
  Result<IpAddress> address = IpAddress::parse(text.substr(0, slash));
  if (!address) return fail(address.error());
  const std::string_view digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc{} || end != digits.data() + digits.size() || length > address->max_prefix_length()) {
    return fail("\"" + std::string(digits) + "\" is not a prefix length; allowed: 0-" +
                std::to_string(address->max_prefix_length()));
  }
  return Prefix{*address, static_cast<uint8_t>(length)};
}

std::string to_string(const Prefix& prefix) {
  return to_string(prefix.address) + "/" + std::to_string(prefix.length);
}

}  // namespace nsrp
