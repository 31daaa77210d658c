// SPDX-License-Identifier: Apache-2.0
// Addresses: MAC, IPv4/IPv6, and an address with its prefix length as an operator writes it (10.1.1.1/24).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace nsrp {

struct MacAddress {
  std::array<uint8_t, 6> bytes{};
  auto operator<=>(const MacAddress&) const = default;

  bool is_zero() const { return *this == MacAddress{}; }
  uint64_t as_number() const;
  // "02:4e:53:00:00:01", or the manual's twelve digits without colons.
  static Result<MacAddress> parse(std::string_view text);
};
std::string to_string(const MacAddress& mac);

enum class Family : uint8_t { kIpv4 = 4, kIpv6 = 6 };

struct IpAddress {
  Family family = Family::kIpv4;
  std::array<uint8_t, 16> bytes{};  // network order; IPv4 in the first four
  auto operator<=>(const IpAddress&) const = default;

  size_t size() const { return family == Family::kIpv4 ? 4 : 16; }
  uint8_t max_prefix_length() const { return family == Family::kIpv4 ? 32 : 128; }
  bool is_unspecified() const;
  bool is_multicast() const;
  bool is_loopback() const;
  static Result<IpAddress> parse(std::string_view text);
};
std::string to_string(const IpAddress& address);

// An address inside its subnet: the host part is kept.
struct Prefix {
  IpAddress address;
  uint8_t length = 0;
  auto operator<=>(const Prefix&) const = default;

  IpAddress network() const;  // the address with its host part cleared
  bool contains(const IpAddress& other) const;
  static Result<Prefix> parse(std::string_view text);  // "A/M"; M is required
};
std::string to_string(const Prefix& prefix);

}  // namespace nsrp
