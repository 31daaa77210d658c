// SPDX-License-Identifier: Apache-2.0
// What the daemon says of interfaces, VSIs, addresses and routes, as the entries of the maps the programs look into.
#pragma once

#include <span>
#include <vector>

#include "kernel/datapath.h"
#include "kernel/map_table.h"

namespace nsrp::kernel {

void copy_mac(const MacAddress& from, nsrp_u8 (&to)[6]);

std::vector<TableEntry<nsrp_u32, nsrp_if_config>> interface_table(std::span<const InterfaceEntry> entries);
std::vector<TableEntry<nsrp_vlan_key, nsrp_u32>> vlan_table(std::span<const InterfaceEntry> entries);

struct VsiTables {
  std::vector<TableEntry<nsrp_mac_key, nsrp_vsi>> by_mac;
  std::vector<TableEntry<nsrp_u32, nsrp_vsi>> by_vid;
  std::vector<TableEntry<nsrp_vsd_key, nsrp_vsi>> by_vsd;
};
VsiTables vsi_tables(std::span<const VsiEntry> entries);

std::vector<TableEntry<nsrp_addr_key, nsrp_addr>> address_table(std::span<const AddressEntry> entries);
std::vector<TableEntry<nsrp_route_key, nsrp_route>> route_table(std::span<const VsdRouteEntry> entries);

}  // namespace nsrp::kernel
