// SPDX-License-Identifier: Apache-2.0
#include "config/validate.h"

#include <algorithm>
#include <map>
#include <utility>

#include "config/language.h"
#include "config/variables.h"
#include "config/vsi.h"
#include "config/words.h"

namespace nsrp::config {

namespace {

using Finding = std::optional<Problem>;

bool is_link_local(const IpAddress& address) {
  return address.family == Family::kIpv6 && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
}

std::string ip_command(const Interface& interface, VsdId vsd, const Prefix& prefix) {
  return join_words({"set", "interface", vsi_name(interface.name, vsd), "ip", to_string(prefix)});
}

std::string manage_command(const Interface& interface, const IpAddress& address) {
  return join_words({"set", "interface", interface.name, "manage-ip", to_string(address)});
}

std::string zone_command(const Interface& interface) {
  return join_words({"set", "interface", interface.name, "zone"});
}

std::string route_command(const Route& route) {
  return join_words({"set", "vrouter", route.vrouter, "route", to_string(route.destination), "interface",
                     vsi_name(route.ifname, route.vsd)});
}

Problem has_no_addresses(const Interface& interface, const std::string& address, const std::string& command) {
  return {interface.name + " is in zone " + interface.zone + " and so cannot have " + address +
              ": ports of the transparent device have no addresses; those belong to interfaces in security zones",
          {zone_command(interface), command}};
}

// Addresses belong to interfaces in security zones. HA links work without any (manual ch. 1).
Finding check_zone(const Interface& interface, const std::string& address, const std::string& command) {
  if (interface.is_security()) return {};
  if (interface.is_transparent()) return has_no_addresses(interface, address, command);
  if (interface.is_ha()) {
    return Problem{"HA interfaces need no address: " + interface.name + " is in zone ha and has " + address,
                   {zone_command(interface), command}};
  }
  return Problem{interface.name + " is in no security zone and so cannot have " + address +
                     "; bind it first: set interface " + interface.name + " zone ...",
                 {zone_command(interface), command}};
}

Finding check_addresses(const Config& config, const Interface& interface) {
  for (const auto& [vsd, prefixes] : interface.addresses) {
    for (const Prefix& prefix : prefixes) {
      const std::string command = ip_command(interface, vsd, prefix);
      if (Finding problem = check_zone(interface, to_string(prefix), command)) return problem;
      if (vsd.value != 0 && !config.vsd_groups.contains(vsd)) {
        return Problem{"VSI " + vsi_name(interface.name, vsd) + " needs VSD group " + std::to_string(vsd.value) +
                           ", which does not exist",
                       {command}};
      }
    }
  }
  return {};
}

Finding check_manage_ips(const Interface& interface) {
  for (const IpAddress& address : interface.manage_ips) {
    const std::string command = manage_command(interface, address);
    const std::string what = "manage IP " + to_string(address);
    if (Finding problem = check_zone(interface, what, command)) return problem;
    const std::optional<Prefix> prefix = manage_prefix(interface, address);
    if (!prefix) {
      return Problem{what + " is in no subnet of an address of " + interface.name, {command}};
    }
    if (std::optional<std::string> why = unusable_host(*prefix)) return Problem{"manage IP " + *why, {command}};
  }
  return {};
}

// No address twice. Link-local ones count for each interface by itself.
class Holders {
 public:
  Finding add(const Interface& interface, const IpAddress& address, std::string holder, std::string command) {
    const auto key = std::pair(address, is_link_local(address) ? interface.name : "");
    const auto [first, is_new] = holders_.try_emplace(key, holder, command);
    if (is_new) return {};
    return Problem{to_string(address) + " cannot be both the " + first->second.first + " and the " + holder,
                   {first->second.second, command}};
  }

 private:
  std::map<std::pair<IpAddress, std::string>, std::pair<std::string, std::string>> holders_;
};

Finding check_duplicates(const Config& config) {
  Holders holders;
  for (const auto& [name, interface] : config.interfaces) {
    for (const auto& [vsd, prefixes] : interface.addresses) {
      for (const Prefix& prefix : prefixes) {
        const std::string holder = "address of " + vsi_name(name, vsd);
        Finding problem = holders.add(interface, prefix.address, holder, ip_command(interface, vsd, prefix));
        if (problem) return problem;
      }
    }
    for (const IpAddress& address : interface.manage_ips) {
      const std::string holder = "manage IP of " + name;
      if (Finding problem = holders.add(interface, address, holder, manage_command(interface, address))) {
        return problem;
      }
    }
  }
  return {};
}

// "": the route can work; otherwise why not.
std::string route_obstacle(const Config& config, const Route& route) {
  const std::string through = vsi_name(route.ifname, route.vsd);
  const auto interface = config.interfaces.find(route.ifname);
  if (interface == config.interfaces.end()) return route.ifname + " is not configured";
  if (interface->second.is_transparent()) return route.ifname + " is a port of the transparent device";
  if (!interface->second.is_security()) return route.ifname + " is in no security zone";
  const auto found = interface->second.addresses.find(route.vsd);
  if (found == interface->second.addresses.end()) return through + " has no address";
  if (!route.gateway) return "";
  if (route.gateway->family != route.destination.address.family) {
    return "gateway " + to_string(*route.gateway) + " is of the other IP version";
  }
  const auto holds = [&](const Prefix& prefix) { return prefix.contains(*route.gateway); };
  if (is_link_local(*route.gateway) || std::ranges::any_of(found->second, holds)) return "";
  return "gateway " + to_string(*route.gateway) + " is in no subnet of an address of " + through;
}

Finding check_route(const Config& config, const Route& route) {
  const std::string why = route_obstacle(config, route);
  if (why.empty()) return {};
  return Problem{"the route to " + to_string(route.destination) + " through " + vsi_name(route.ifname, route.vsd) +
                     " cannot work: " + why,
                 {route_command(route)}};
}

// A port passes nothing on a backup, so nothing of the cluster can depend on it.
Finding check_no_port(const Config& config, const std::string& name, const std::string& what,
                      const std::string& command) {
  const auto interface = config.interfaces.find(name);
  if (interface == config.interfaces.end() || !interface->second.is_transparent()) return {};
  return Problem{quoted(name) + " is in zone " + interface->second.zone + " and so cannot " + what +
                     ": a port of the transparent device is closed on a backup; name an interface in a security zone",
                 {command, zone_command(interface->second)}};
}

// Manual ch. 1, "NetScreen Redundancy Protocol": devices that work at layer 2 can be active/passive only.
Finding check_transparent_mode(const Config& config) {
  const auto device = config.interfaces.find(std::string(kTransparentDevice));
  if (device != config.interfaces.end() && !device->second.zone.empty()) {
    return Problem{quoted(device->first) +
                       " is the transparent device itself and so can be in no zone; allowed: the interfaces that are "
                       "to be its ports",
                   {zone_command(device->second)}};
  }
  const auto port =
      std::ranges::find_if(config.interfaces, [](const auto& each) { return each.second.is_transparent(); });
  if (port == config.interfaces.end()) return {};
  for (const auto& [id, group] : config.vsd_groups) {
    if (id.value == 0) continue;
    const std::string number = std::to_string(id.value);
    return Problem{"VSD group " + number + " cannot be beside " + port->first + " in zone " + port->second.zone +
                       ": transparent mode is active/passive only; allowed: VSD group 0",
                   {join_words({"set", "nsrp", "vsd-group", "id", number}), zone_command(port->second)}};
  }
  return {};
}

// Manual ch. 1, "Control Messages": "an interface bound to a security zone".
Finding check_control_interface(const Config& config) {
  const std::string& name = config.control_interface;
  if (name.empty()) return {};
  const std::string command = join_words({"set", "nsrp", "interface", name});
  if (Finding problem = check_no_port(config, name, "carry control messages", command)) return problem;
  const auto interface = config.interfaces.find(name);
  const bool bound = interface != config.interfaces.end();
  if (bound && interface->second.is_ha()) {
    return Problem{quoted(name) +
                       " is in zone ha and so carries control messages anyway; \"set nsrp interface\" takes "
                       "an interface in a security zone",
                   {zone_command(interface->second), command}};
  }
  if (!bound || !interface->second.is_security()) {
    return Problem{quoted(name) +
                       " is in no security zone and so cannot carry control messages; bind it first: set "
                       "interface " +
                       name + " zone ...",
                   {command}};
  }
  if (name != config.secondary_path) return {};
  return Problem{
      quoted(name) + " cannot be both the control interface and the secondary path: they would fail together",
      {command, join_words({"set", "nsrp", "secondary-path", name})}};
}

Finding check_secondary_path(const Config& config) {
  const std::string command = join_words({"set", "nsrp", "secondary-path", config.secondary_path});
  if (Finding problem = check_no_port(config, config.secondary_path, "be the secondary path", command)) return problem;
  const auto interface = config.interfaces.find(config.secondary_path);
  if (interface == config.interfaces.end() || !interface->second.is_ha()) return {};
  return Problem{quoted(interface->first) +
                     " is in zone ha and so cannot be the secondary path, which takes an "
                     "interface in a security zone",
                 {command, zone_command(interface->second)}};
}

}  // namespace

std::optional<Problem> find_problem(const Config& config) {
  size_t vsis = 0;
  for (const auto& [name, interface] : config.interfaces) {
    if (Finding problem = check_addresses(config, interface)) return problem;
    if (Finding problem = check_manage_ips(interface)) return problem;
    vsis += interface.addresses.size();
  }
  if (Finding problem = check_transparent_mode(config)) return problem;
  if (Finding problem = check_duplicates(config)) return problem;
  if (Finding problem = check_control_interface(config)) return problem;
  if (Finding problem = check_secondary_path(config)) return problem;
  for (const Route& route : config.routes) {
    if (Finding problem = check_route(config, route)) return problem;
  }
  if (vsis > kVsiLimit) return Problem{"more than " + std::to_string(kVsiLimit) + " interfaces and VSIs", {}};
  return {};
}

Status validate(const Config& config) {
  if (std::optional<Problem> problem = find_problem(config)) return fail(std::move(problem->message));
  return {};
}

}  // namespace nsrp::config
