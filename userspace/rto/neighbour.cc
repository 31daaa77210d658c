// SPDX-License-Identifier: Apache-2.0
#include "rto/neighbour.h"

#include <algorithm>

#include "nsrp/abi/nsrp_abi.h"

namespace nsrp::rto {
namespace {

constexpr size_t kHead = 3;  // VID, family

bool valid_key(const std::string& key) {
  if (key.size() < kHead) return false;
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(key[at]); };
  const int vid = byte(0) << 8 | byte(1);
  IpAddress address;
  if (byte(2) != NSRP_IPV4 && byte(2) != NSRP_IPV6) return false;
  address.family = byte(2) == NSRP_IPV4 ? Family::kIpv4 : Family::kIpv6;
  if (vid < 1 || vid >= NSRP_MAX_VID || key.size() != kHead + address.size()) return false;
  std::copy(key.begin() + kHead, key.end(), address.bytes.begin());
  return !address.is_unspecified() && !address.is_multicast() && !address.is_loopback();
}

bool valid_value(const std::string& value) {
  const bool multicast = !value.empty() && (value[0] & 1) != 0;
  const bool zero = std::all_of(value.begin(), value.end(), [](char byte) { return byte == 0; });
  return value.size() == MacAddress{}.bytes.size() && !multicast && !zero;
}

}  // namespace

const ObjectRules kArpRules{ClassId::kArp, "arp", 16384, valid_key, valid_value};

std::string neighbour_key(Vid vid, const IpAddress& address) {
  std::string key;
  key.push_back(static_cast<char>(vid.value >> 8));
  key.push_back(static_cast<char>(vid.value & 0xff));
  key.push_back(address.family == Family::kIpv4 ? char{NSRP_IPV4} : char{NSRP_IPV6});
  key.append(address.bytes.begin(), address.bytes.begin() + static_cast<std::ptrdiff_t>(address.size()));
  return key;
}

Object to_object(VsdId vsd, const Neighbour& neighbour) {
  return {vsd, neighbour_key(neighbour.vid, neighbour.address),
          std::string(neighbour.mac.bytes.begin(), neighbour.mac.bytes.end())};
}

std::optional<Neighbour> neighbour_of(const std::string& key, const std::string& value) {
  if (!valid_key(key) || !valid_value(value)) return std::nullopt;
  Neighbour neighbour;
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(key[at]); };
  neighbour.vid = Vid{static_cast<uint16_t>(byte(0) << 8 | byte(1))};
  neighbour.address.family = byte(2) == NSRP_IPV4 ? Family::kIpv4 : Family::kIpv6;
  std::copy(key.begin() + kHead, key.end(), neighbour.address.bytes.begin());
  std::copy(value.begin(), value.end(), neighbour.mac.bytes.begin());
  return neighbour;
}

}  // namespace nsrp::rto
