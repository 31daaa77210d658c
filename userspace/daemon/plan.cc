// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <set>

namespace nsrp::daemon {

namespace {

using config::Config;
using config::Interface;
using config::Vsi;

constexpr uint32_t kMainTable = 254;
constexpr uint32_t kFirstVsdTable = 20000;

// Addresses of a VSD other than 0 exist only as VSIs; those of VSD 0 are local without it (manual ch. 1).
void add_interface_addresses(const Interface& interface, const std::set<VsdId>& vsds, InterfacePlan& plan) {
  for (const IpAddress& manage : interface.manage_ips) {
    const Prefix host{manage, manage.max_prefix_length()};
    plan.addresses.push_back({config::manage_prefix(interface, manage).value_or(host), ""});
  }
  for (const auto& [vsd, prefixes] : interface.addresses) {
    const bool is_vsi = vsds.contains(vsd);
    if (vsd.value != 0 && !is_vsi) continue;
    for (const Prefix& prefix : prefixes) {
      const bool labelled = is_vsi && prefix.address.family == Family::kIpv4;
      plan.addresses.push_back({prefix, labelled ? interface.name + ":" + std::to_string(vsd.value) : ""});
    }
  }
}

void add_interface(const Config& config, const Interface& interface, const kernel::Link& link,
                   const std::vector<Vsi>& vsis, Plan& plan) {
  InterfacePlan mine;
  mine.link = link;
  const std::vector<std::string> ha = config::ha_interfaces_of(config);
  mine.ha = std::find(ha.begin(), ha.end(), interface.name) != ha.end();
  mine.port = interface.is_transparent();
  if (mine.port) plan.ports.push_back(link.ifindex);
  std::set<VsdId> vsds;
  Vid last_vid;
  size_t vsi_count = 0;
  for (const Vsi& vsi : vsis) {
    if (vsi.ifname != interface.name) continue;
    ++vsi_count;
    vsds.insert(vsi.vsd);
    last_vid = vsi.vid;
    mine.virtual_macs.push_back(vsi.vmac);
    plan.vsis.push_back(
        {link.ifindex, vsi.vid, vsi.vsd, vsi.vmac, config.vsd_groups.at(vsi.vsd).defer > milliseconds(0)});
    for (const Prefix& prefix : vsi.addresses) {
      plan.addresses.push_back({link.ifindex, prefix.address, NSRP_ADDR_VSI, vsi.vid});
    }
  }
  mine.traffic = vsi_count > 0;
  add_interface_addresses(interface, vsds, mine);
  if (mine.traffic || mine.ha) {
    uint32_t flags = mine.ha ? NSRP_IF_HA : NSRP_IF_TRAFFIC;
    if (vsds.size() > 1) flags |= NSRP_IF_MULTI_VSD;
    plan.entries.push_back({link.ifindex, flags, vsi_count == 1 ? last_vid : Vid{}, link.mac,
                            link.vlan_vid != 0 ? link.lower : IfIndex{}, link.vlan_vid});
  }
  for (const IpAddress& manage : interface.manage_ips) {
    if (mine.traffic) plan.addresses.push_back({link.ifindex, manage, NSRP_ADDR_DEVICE, Vid{}});
  }
  plan.interfaces.emplace(interface.name, std::move(mine));
}

void add_route(VsdId vsd, const kernel::WantedRoute& route, Plan& plan) {
  plan.routes.push_back(route);
  if (vsd.value != 0) plan.vsd_routes.push_back({vsd, route.destination, route.ifindex});
}

// The subnets of the interfaces, which the kernel knows in its main table only: without them a default route in a VSD's
// own table would swallow packets to neighbours.
void add_subnets(Family family, VsdId vsd, Plan& plan) {
  std::set<std::pair<IpAddress, uint8_t>> known;
  for (const kernel::VsdRouteEntry& route : plan.vsd_routes) {
    if (route.vsd == vsd) known.emplace(route.destination.network(), route.destination.length);
  }
  for (const auto& [name, interface] : plan.interfaces) {
    for (const kernel::WantedAddress& address : interface.addresses) {
      const Prefix subnet{address.prefix.network(), address.prefix.length};
      if (subnet.address.family != family || subnet.length == subnet.address.max_prefix_length()) continue;
      if (!known.emplace(subnet.address, subnet.length).second) continue;
      add_route(vsd, {subnet, interface.link.ifindex, std::nullopt, 0, routing_table_of(vsd)}, plan);
    }
  }
}

// A VSD other than 0 has a routing table of its own, so that each VSD can have its own default route (manual ch. 1,
// figure 8); packets find it by the mark that tc ingress gives them.
void add_routes(const Config& config, const LinksByName& links, Plan& plan) {
  std::set<std::pair<Family, VsdId>> with_rule;
  for (const config::Route& route : config.routes) {
    const auto link = links.find(route.ifname);
    if (link == links.end()) continue;
    add_route(
        route.vsd,
        {route.destination, link->second.ifindex, route.gateway, route.metric.value_or(0), routing_table_of(route.vsd)},
        plan);
    if (route.vsd.value != 0) with_rule.emplace(route.destination.address.family, route.vsd);
  }
  for (const auto& [family, vsd] : with_rule) {
    const uint32_t mark = (uint32_t{vsd.value} + 1) << NSRP_MARK_SHIFT;
    plan.rules.push_back({family, mark, NSRP_MARK_MASK, routing_table_of(vsd)});
    add_subnets(family, vsd, plan);
  }
}

bool same_subnet(const Prefix& a, const Prefix& b) {
  return a.length == b.length && a.network() == b.network();
}

bool any_prefix(const std::vector<Vsi>& vsis, const std::function<bool(const Prefix&)>& matches) {
  return std::ranges::any_of(vsis, [&](const Vsi& vsi) { return std::ranges::any_of(vsi.addresses, matches); });
}

// Without an address the interface would lose the route to the subnet too, and packets for it would take another one
// instead of being dropped and counted. This one is of our protocol: daemons that tell connected subnets leave it out.
void keep_subnet(const InterfacePlan& interface, const Prefix& prefix, Plan& plan) {
  const kernel::WantedRoute route{
      {prefix.network(), prefix.length}, interface.link.ifindex, std::nullopt, 0, kMainTable};
  if (std::ranges::find(plan.routes, route) == plan.routes.end()) plan.routes.push_back(route);
}

// A subnet without an active VSI must not be connected: no address of a VSI that is down, and the manage IP by itself.
void take_subnets(const std::vector<Vsi>& down, const std::vector<Vsi>& active, InterfacePlan& interface, Plan& plan) {
  std::vector<kernel::WantedAddress> kept;
  for (kernel::WantedAddress address : interface.addresses) {
    const Prefix prefix = address.prefix;
    const auto same = [&](const Prefix& other) { return other == prefix; };
    const auto near = [&](const Prefix& other) { return same_subnet(other, prefix); };
    const uint8_t host_length = prefix.address.max_prefix_length();
    if (any_prefix(down, near) && !any_prefix(active, near) && prefix.length != host_length) {
      keep_subnet(interface, prefix, plan);
      address.prefix.length = host_length;
    }
    if (!any_prefix(down, same)) kept.push_back(address);
  }
  interface.addresses = std::move(kept);
}

// A VLAN device is dormant when the one below it is, so that must not be while the VLAN device has an active VSI.
bool carries_running_interface(const Plan& plan, IfIndex ifindex) {
  return std::ranges::any_of(plan.interfaces, [&](const auto& other) {
    const InterfacePlan& above = other.second;
    return above.link.lower == ifindex && above.link.ifindex > ifindex && above.traffic && !above.dormant;
  });
}

void show_down(const std::vector<Vsi>& vsis, const std::set<VsdId>& down, Plan& plan) {
  std::map<IfIndex, InterfacePlan*, std::greater<>> from_above;
  for (auto& [name, interface] : plan.interfaces) {
    if (interface.traffic) from_above[interface.link.ifindex] = &interface;
  }
  for (const auto& [ifindex, interface] : from_above) {
    std::vector<Vsi> down_here, active_here;
    for (const Vsi& vsi : vsis) {
      if (vsi.ifname == interface->link.name) (down.contains(vsi.vsd) ? down_here : active_here).push_back(vsi);
    }
    interface->dormant = active_here.empty() && !carries_running_interface(plan, ifindex);
    if (!interface->dormant) take_subnets(down_here, active_here, *interface, plan);
  }
}

}  // namespace

uint32_t routing_table_of(VsdId vsd) {
  return vsd.value == 0 ? kMainTable : kFirstVsdTable + vsd.value;
}

std::map<core::LinkIndex, std::string> link_names(const Config& config) {
  std::map<core::LinkIndex, std::string> names;
  uint8_t number = 0;
  for (const std::string& name : config::ha_interfaces_of(config)) names[core::LinkIndex{number++}] = name;
  if (!config.control_interface.empty()) names[core::kControlInterface] = config.control_interface;
  if (!config.secondary_path.empty()) names[core::kSecondaryPath] = config.secondary_path;
  return names;
}

Plan make_plan(const Config& config, const LinksByName& links, const std::set<VsdId>& down) {
  Plan plan;
  const std::vector<Vsi> vsis = config::vsis_of(config);
  for (const auto& [name, interface] : config.interfaces) {
    if (!interface.is_ha() && !interface.is_security() && !interface.is_transparent()) continue;
    const auto link = links.find(name);
    if (link == links.end()) {
      plan.missing.push_back(name);
      continue;
    }
    add_interface(config, interface, link->second, vsis, plan);
  }
  add_routes(config, links, plan);
  if (!down.empty()) show_down(vsis, down, plan);
  return plan;
}

// The port's programs see what a VLAN device on top of it gets and sends, and keep it in on a backup.
Status check_ports(const Plan& plan) {
  for (const auto& [name, above] : plan.interfaces) {
    for (const auto& [port, below] : plan.interfaces) {
      if (!below.port || above.link.vlan_vid == 0 || above.link.lower != below.link.ifindex) continue;
      return fail(
          name + " stands on " + port +
          ", which is a port of the transparent device and closed on a backup; take one of the two out of its zone");
    }
  }
  return {};
}

std::map<VsdId, std::vector<AnnounceTarget>> announce_targets(const Config& config, const LinksByName& links) {
  std::map<VsdId, std::vector<AnnounceTarget>> targets;
  for (const Vsi& vsi : config::vsis_of(config)) {
    const auto link = links.find(vsi.ifname);
    if (link == links.end()) continue;
    AnnounceTarget target{link->second.ifindex, vsi.vmac, {}};
    for (const Prefix& prefix : vsi.addresses) target.addresses.push_back(prefix.address);
    targets[vsi.vsd].push_back(std::move(target));
  }
  return targets;
}

}  // namespace nsrp::daemon
