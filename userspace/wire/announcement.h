// SPDX-License-Identifier: Apache-2.0
// What a new master tells the network. First, about a VSI address (manual ch. 1, "set nsrp arp"): a gratuitous ARP
// request (RFC 5227, ARP Announcement) or an unsolicited neighbour advertisement (RFC 4861, 7.2.6), as an Ethernet
// frame.
#pragma once

#include <cstdint>
#include <vector>

#include "base/address.h"

namespace nsrp::wire {

std::vector<uint8_t> announcement(const MacAddress& virtual_mac, const IpAddress& address);

// Second, what makes switches learn where a MAC address is now (transparent mode): a reverse ARP request (RFC 903) in
// its name, as hypervisors send it when a machine has moved. Nobody answers it.
std::vector<uint8_t> learning_frame(const MacAddress& mac);

}  // namespace nsrp::wire
