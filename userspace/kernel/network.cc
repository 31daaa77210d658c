// SPDX-License-Identifier: Apache-2.0
// Leaving the box as it was found.
#include "kernel/network.h"

#include <net/if.h>

#include "kernel/network_impl.h"

namespace nsrp::kernel {

std::string interface_name(IfIndex ifindex) {
  char name[IF_NAMESIZE];
  if (::if_indextoname(ifindex.value, name) != nullptr) return name;
  return "interface " + std::to_string(ifindex.value);
}

// What fails here fails because the interface is gone, and its state with it.
void Network::restore() {
  if (impl_->rules_set) (void)set_rules({});
  if (impl_->routes_set) (void)set_routes({});
  for (const auto& [ifindex, addresses] : impl_->our_addresses) (void)set_addresses(ifindex, {}, {});
  for (const auto& [ifindex, macs] : impl_->our_filters) (void)set_unicast_filter(ifindex, {});
  for (const auto& change : impl_->offloads_off) (void)impl_->ethtool.set_vlan_offload(change.name, change.which, true);
  impl_->offloads_off.clear();
  for (const IfIndex ifindex : std::set<IfIndex>(impl_->made_dormant)) (void)set_dormant(ifindex, false);
  impl_->sysctls.restore();
}

}  // namespace nsrp::kernel
