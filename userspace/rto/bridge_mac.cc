// SPDX-License-Identifier: Apache-2.0
#include "rto/bridge_mac.h"

#include <algorithm>

namespace nsrp::rto {
namespace {

constexpr size_t kLongestName = 15;      // IFNAMSIZ less its final zero
constexpr size_t kMostAddresses = 4096;  // each is a broadcast frame at a takeover

bool valid_key(const std::string& key) {
  const bool group = !key.empty() && (key[0] & 1) != 0;
  const bool zero = std::ranges::all_of(key, [](char byte) { return byte == 0; });
  return key.size() == MacAddress{}.bytes.size() && !group && !zero;
}

bool valid_value(const std::string& value) {
  const bool printable = std::ranges::all_of(value, [](char c) { return c > ' ' && c != 0x7f && c != '/'; });
  return !value.empty() && value.size() <= kLongestName && printable;
}

}  // namespace

const ObjectRules kMacRules{ClassId::kMac, "mac", kMostAddresses, valid_key, valid_value};

std::string bridge_mac_key(const MacAddress& mac) {
  return {mac.bytes.begin(), mac.bytes.end()};
}

Object to_object(const BridgeMac& entry) {
  return {VsdId{0}, bridge_mac_key(entry.mac), entry.port};
}

std::optional<BridgeMac> bridge_mac_of(const std::string& key, const std::string& value) {
  if (!valid_key(key) || !valid_value(value)) return std::nullopt;
  BridgeMac entry{{}, value};
  std::copy(key.begin(), key.end(), entry.mac.bytes.begin());
  return entry;
}

}  // namespace nsrp::rto
