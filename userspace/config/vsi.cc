// SPDX-License-Identifier: Apache-2.0
// The VSIs of a configuration with their VIDs and virtual MACs. Both are computed, not configured: every member comes
// to the same values from its own configuration, and a restart to the same as before.
//
//   vid  = 1 + FNV-1a-32("eth1:0") mod 4094; when a VSI before it in order of name has that VID, the next free one
//   vmac = 02:4e:53 : cluster id (4 bits) | vid (12 bits) : VSD (8 bits)
//
// 02 marks a locally administered unicast address. Cluster id, VID and VSD make it unique on a segment with several
// clusters and on a segment that two interfaces share.
#include "config/vsi.h"

#include <algorithm>
#include <bitset>

#include "config/model.h"

namespace nsrp::config {

namespace {

uint32_t fnv1a32(const std::string& text) {
  uint32_t hash = 0x811c9dc5;
  for (char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x01000193;
  return hash;
}

// Addresses by VSD that are VSIs: their group exists. Only then is the interface's own address one of VSD group 0.
bool is_vsi(const Config& config, const Interface& interface, VsdId vsd) {
  const auto addresses = interface.addresses.find(vsd);
  return config.cluster.value != 0 && interface.is_security() && config.vsd_groups.contains(vsd) &&
         addresses != interface.addresses.end() && !addresses->second.empty();
}

MacAddress vmac_of(ClusterId cluster, Vid vid, VsdId vsd) {
  return {{0x02, 0x4e, 0x53, static_cast<uint8_t>(cluster.value << 4 | vid.value >> 8),
           static_cast<uint8_t>(vid.value & 0xff), vsd.value}};
}

}  // namespace

std::string Vsi::name() const {
  return vsi_name(ifname, vsd);
}

std::vector<Vsi> vsis_of(const Config& config) {
  std::vector<Vsi> vsis;
  std::bitset<kVsiLimit> taken;
  for (const Interface* interface : interfaces_in_order(config)) {
    for (const auto& [vsd, prefixes] : interface->addresses) {
      if (!is_vsi(config, *interface, vsd) || vsis.size() == kVsiLimit) continue;
      size_t slot = fnv1a32(interface->name + ":" + std::to_string(vsd.value)) % kVsiLimit;
      while (taken[slot]) slot = (slot + 1) % kVsiLimit;
      taken.set(slot);
      const Vid vid{static_cast<uint16_t>(slot + 1)};
      vsis.push_back({interface->name, vsd, vid, vmac_of(config.cluster, vid, vsd), prefixes});
    }
  }
  return vsis;
}

}  // namespace nsrp::config
