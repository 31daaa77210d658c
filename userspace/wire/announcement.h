// SPDX-License-Identifier: Apache-2.0
// What a new master tells the network about a VSI address (manual ch. 1, "set nsrp arp"): a gratuitous ARP request
// (RFC 5227, ARP Announcement) or an unsolicited neighbour advertisement (RFC 4861, 7.2.6), as an Ethernet frame.
#pragma once

#include <cstdint>
#include <vector>

#include "base/address.h"

namespace nsrp::wire {

std::vector<uint8_t> announcement(const MacAddress& virtual_mac, const IpAddress& address);

}  // namespace nsrp::wire
