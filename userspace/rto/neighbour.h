// SPDX-License-Identifier: Apache-2.0
// Class arp: which MAC address an IP address on the network of a VSI has (ARP for IPv4, neighbour discovery for IPv6).
// A VSI is named by its VID, which is equal on all members, as interface numbers are not.
#pragma once

#include <optional>

#include "base/address.h"
#include "base/ids.h"
#include "rto/object.h"

namespace nsrp::rto {

struct Neighbour {
  Vid vid;
  IpAddress address;
  MacAddress mac;
  bool operator==(const Neighbour&) const = default;
};

std::string neighbour_key(Vid vid, const IpAddress& address);
Object to_object(VsdId vsd, const Neighbour& neighbour);
// nullopt: a peer of ours would not send this.
std::optional<Neighbour> neighbour_of(const std::string& key, const std::string& value);

extern const ObjectRules kArpRules;

}  // namespace nsrp::rto
