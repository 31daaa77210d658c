// SPDX-License-Identifier: Apache-2.0
// Interfaces: zone, addresses of the interface and of its VSIs, manage IP.
#include <algorithm>

#include "config/scalar_rows.h"
#include "config/words.h"

namespace nsrp::config {

namespace {

Interface& interface_of(Config& config, const std::string& name) {
  Interface& interface = config.interfaces[name];
  interface.name = name;
  return interface;
}

// An interface of which nothing is said is none of ours: it would not be printed either.
void forget_if_empty(Config& config, const std::string& name) {
  const auto found = config.interfaces.find(name);
  if (found == config.interfaces.end()) return;
  const Interface& interface = found->second;
  if (interface.zone.empty() && interface.addresses.empty() && interface.manage_ips.empty()) {
    config.interfaces.erase(found);
  }
}

// Zone names are case-sensitive, but the manual writes the predefined ones, such as HA and V1-Trust, in either case.
std::string zone_spelling(const std::string& zone) {
  const auto is = [&](std::string_view name) {
    return name.size() == zone.size() && starts_with_ignoring_case(name, zone);
  };
  if (is("ha")) return "ha";
  const auto transparent = std::ranges::find_if(kTransparentZones, is);
  if (transparent != kTransparentZones.end()) return std::string(*transparent);
  return is("null") ? "" : zone;
}

// A slip of the pen in one of these names must not make a routed interface.
Status check_transparent_zone(const std::string& zone) {
  const bool known = std::ranges::find(kTransparentZones, zone) != kTransparentZones.end();
  if (known || !starts_with_ignoring_case(zone, "v1-")) return {};
  return fail(quoted(zone) + " is no zone of transparent mode; allowed: " +
              join_or({kTransparentZones.begin(), kTransparentZones.end()}));
}

Status set_zone(Config& config, const Values& values) {
  const std::string zone = zone_spelling(values.text("zone"));
  if (Status known = check_transparent_zone(zone); !known) return known;
  interface_of(config, values.text("interface")).zone = zone;
  forget_if_empty(config, values.text("interface"));
  return {};
}

Status unset_zone(Config& config, const Values& values) {
  const std::string& name = values.text("interface");
  if (!config.interfaces.contains(name)) return fail("interface " + name + " is in no zone");
  config.interfaces[name].zone.clear();
  forget_if_empty(config, name);
  return {};
}

// An interface has one IPv4 address for each VSD, so that a new one takes its place as in ScreenOS; of IPv6 addresses
// it has as many as it is given.
Status set_ip(Config& config, const Values& values) {
  const auto [ifname, vsd] = values.vsi();
  const Prefix prefix = values.prefix("prefix");
  std::vector<Prefix>& list = interface_of(config, ifname).addresses[vsd];
  std::erase_if(list, [&](const Prefix& other) {
    const bool only_one = prefix.address.family == Family::kIpv4 && other.address.family == Family::kIpv4;
    return only_one || other.address == prefix.address;
  });
  list.insert(std::ranges::upper_bound(list, prefix), prefix);
  return {};
}

Status unset_ip(Config& config, const Values& values) {
  const auto [ifname, vsd] = values.vsi();
  const std::string& name = values.text("vsi");
  const auto interface = config.interfaces.find(ifname);
  if (interface == config.interfaces.end() || !interface->second.addresses.contains(vsd)) {
    return fail(name + " has no address");
  }
  std::vector<Prefix>& list = interface->second.addresses[vsd];
  if (values.has("prefix")) {
    const Prefix prefix = values.prefix("prefix");
    if (std::erase(list, prefix) == 0) return fail(name + " has no address " + to_string(prefix));
  } else {
    list.clear();
  }
  if (list.empty()) interface->second.addresses.erase(vsd);
  forget_if_empty(config, ifname);
  return {};
}

Printed print_ip(const Config& config) {
  Printed printed;
  for (const Interface* interface : interfaces_in_order(config)) {
    for (const auto& [vsd, prefixes] : interface->addresses) {
      for (const Prefix& prefix : prefixes) printed.push_back({vsi_name(interface->name, vsd), to_string(prefix)});
    }
  }
  return printed;
}

Printed print_zone(const Config& config) {
  Printed printed;
  for (const Interface* interface : interfaces_in_order(config)) {
    if (!interface->zone.empty()) printed.push_back({interface->name, interface->zone});
  }
  return printed;
}

Status set_manage_ip(Config& config, const Values& values) {
  const IpAddress address = values.address("address");
  std::vector<IpAddress>& list = interface_of(config, values.text("interface")).manage_ips;
  std::erase_if(list, [&](const IpAddress& other) { return other.family == address.family; });
  list.insert(std::ranges::upper_bound(list, address), address);
  return {};
}

Status unset_manage_ip(Config& config, const Values& values) {
  const std::string& name = values.text("interface");
  const auto interface = config.interfaces.find(name);
  size_t gone = 0;
  if (interface != config.interfaces.end()) {
    gone = std::erase_if(interface->second.manage_ips, [&](const IpAddress& address) {
      return !values.has("address") || address == values.address("address");
    });
  }
  if (gone == 0) {
    return fail(name + " has no manage IP" + (values.has("address") ? " " + values.text("address") : ""));
  }
  forget_if_empty(config, name);
  return {};
}

Printed print_manage_ip(const Config& config) {
  Printed printed;
  for (const Interface* interface : interfaces_in_order(config)) {
    for (const IpAddress& address : interface->manage_ips) {
      printed.push_back({interface->name, to_string(address)});
    }
  }
  return printed;
}

constexpr Row kRows[] = {
    {"set interface <interface> zone <zone>", CommandId::kSet,
     "Bind the interface to a zone: \"ha\" makes it an HA link, \"v1-trust\", \"v1-untrust\" and \"v1-dmz\" a port of "
     "the transparent device, any other name a security zone",
     Propagation::kUnlessLocal, set_zone, print_zone},
    {"unset interface <interface> zone", CommandId::kSet, "Leave the interface alone (zone \"null\")",
     Propagation::kUnlessLocal, unset_zone},
    {"set interface <vsi> ip <prefix>", CommandId::kSet,
     "Address of an interface or VSI; a second IPv4 address replaces the first, IPv6 addresses add up",
     Propagation::kUnlessLocal, set_ip, print_ip},
    {"unset interface <vsi> ip [<prefix>]", CommandId::kSet, "Remove one address, or all", Propagation::kUnlessLocal,
     unset_ip},
    {"set interface <interface> manage-ip <address>", CommandId::kSet,
     "Address of this device itself, in the subnet of the interface's address; one IPv4 and one IPv6",
     Propagation::kNever, set_manage_ip, print_manage_ip},
    {"unset interface <interface> manage-ip [<address>]", CommandId::kSet, "Remove the manage IP", Propagation::kNever,
     unset_manage_ip},
};

}  // namespace

std::span<const Row> interface_rows() {
  return kRows;
}

}  // namespace nsrp::config
