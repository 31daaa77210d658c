// SPDX-License-Identifier: Apache-2.0
// Class mac: behind which port of the transparent device a MAC address is. The device belongs to VSD 0. A port is named
// by its interface, as in the configuration, which is equal on all members.
#pragma once

#include <optional>
#include <string>

#include "base/address.h"
#include "rto/object.h"

namespace nsrp::rto {

struct BridgeMac {
  MacAddress mac;
  std::string port;
  bool operator==(const BridgeMac&) const = default;
};

std::string bridge_mac_key(const MacAddress& mac);
Object to_object(const BridgeMac& entry);
// nullopt: a peer of ours would not send this.
std::optional<BridgeMac> bridge_mac_of(const std::string& key, const std::string& value);

extern const ObjectRules kMacRules;

}  // namespace nsrp::rto
