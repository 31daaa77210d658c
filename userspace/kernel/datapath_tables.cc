// SPDX-License-Identifier: Apache-2.0
#include "kernel/datapath_tables.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace nsrp::kernel {
namespace {

nsrp_u8 family_number(const IpAddress& address) {
  return address.family == Family::kIpv4 ? NSRP_IPV4 : NSRP_IPV6;
}

nsrp_vsi to_abi(const VsiEntry& entry, bool several_vsds) {
  nsrp_vsi vsi{};
  vsi.ifindex = entry.ifindex.value;
  vsi.vid = entry.vid.value;
  vsi.vsd = entry.vsd.value;
  if (several_vsds) vsi.flags |= NSRP_VSI_SEVERAL_VSDS;
  if (entry.defers) vsi.flags |= NSRP_VSI_DEFERS;
  copy_mac(entry.vmac, vsi.vmac);
  return vsi;
}

bool are_of_several_vsds(std::span<const VsiEntry> entries) {
  return std::any_of(entries.begin(), entries.end(),
                     [&](const VsiEntry& entry) { return entry.vsd != entries.front().vsd; });
}

nsrp_addr_key key_of(IfIndex ifindex, const IpAddress& address) {
  nsrp_addr_key key{};
  key.ifindex = ifindex.value;
  key.family = family_number(address);
  std::memcpy(key.addr, address.bytes.data(), address.size());
  return key;
}

// fe80::/10: each interface may have the same one.
bool is_link_local(const IpAddress& address) {
  return address.family == Family::kIpv6 && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
}

}  // namespace

void copy_mac(const MacAddress& from, nsrp_u8 (&to)[6]) {
  std::memcpy(to, from.bytes.data(), sizeof(to));
}

std::vector<TableEntry<nsrp_u32, nsrp_if_config>> interface_table(std::span<const InterfaceEntry> entries) {
  std::vector<TableEntry<nsrp_u32, nsrp_if_config>> table;
  for (const InterfaceEntry& entry : entries) {
    nsrp_if_config config{};
    config.flags = entry.flags;
    config.only_vid = entry.only_vid.value;
    copy_mac(entry.mac, config.mac);
    config.lower_ifindex = entry.lower.value;
    config.vlan_vid = entry.vlan_vid;
    table.push_back({entry.ifindex.value, config});
  }
  return table;
}

std::vector<TableEntry<nsrp_vlan_key, nsrp_u32>> vlan_table(std::span<const InterfaceEntry> entries) {
  std::vector<TableEntry<nsrp_vlan_key, nsrp_u32>> table;
  for (const InterfaceEntry& entry : entries) {
    if (entry.lower.value == 0) continue;
    table.push_back({nsrp_vlan_key{.ifindex = entry.lower.value, .vid = entry.vlan_vid}, entry.ifindex.value});
  }
  return table;
}

VsiTables vsi_tables(std::span<const VsiEntry> entries) {
  VsiTables tables;
  const bool several_vsds = are_of_several_vsds(entries);
  std::set<uint32_t> interfaces, vsds;  // of which one VSI stands for all
  for (const VsiEntry& entry : entries) {
    const nsrp_vsi vsi = to_abi(entry, several_vsds);
    nsrp_mac_key mac_key{};
    mac_key.ifindex = vsi.ifindex;
    copy_mac(entry.vmac, mac_key.mac);
    tables.by_mac.push_back({mac_key, vsi});
    tables.by_vid.push_back({vsi.vid, vsi});
    tables.by_vsd.push_back({nsrp_vsd_key{.ifindex = vsi.ifindex, .vsd = vsi.vsd}, vsi});
    if (interfaces.insert(vsi.ifindex).second)
      tables.by_vsd.push_back({nsrp_vsd_key{.ifindex = vsi.ifindex, .vsd = NSRP_ANY_VSD}, vsi});
    if (vsds.insert(vsi.vsd).second)
      tables.by_vsd.push_back({nsrp_vsd_key{.ifindex = NSRP_ANY_INTERFACE, .vsd = vsi.vsd}, vsi});
  }
  return tables;
}

std::vector<TableEntry<nsrp_addr_key, nsrp_addr>> address_table(std::span<const AddressEntry> entries) {
  std::vector<TableEntry<nsrp_addr_key, nsrp_addr>> table;
  for (const AddressEntry& entry : entries) {
    const nsrp_addr addr{.kind = static_cast<nsrp_u16>(entry.kind), .vid = entry.vid.value};
    table.push_back({key_of(entry.ifindex, entry.address), addr});
    if (!is_link_local(entry.address)) table.push_back({key_of(IfIndex{NSRP_ANY_INTERFACE}, entry.address), addr});
  }
  return table;
}

std::vector<TableEntry<nsrp_route_key, nsrp_route>> route_table(std::span<const VsdRouteEntry> entries) {
  std::vector<TableEntry<nsrp_route_key, nsrp_route>> table;
  for (const VsdRouteEntry& entry : entries) {
    const IpAddress network = entry.destination.network();
    nsrp_route_key key{};
    key.prefix_len = NSRP_ROUTE_FIXED_BITS + entry.destination.length;
    key.vsd = entry.vsd.value;
    key.family = family_number(network);
    std::memcpy(key.addr, network.bytes.data(), network.size());
    table.push_back({key, nsrp_route{.ifindex = entry.ifindex.value}});
  }
  return table;
}

}  // namespace nsrp::kernel
