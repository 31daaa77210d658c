// SPDX-License-Identifier: Apache-2.0
// What the kernel should hold for a configuration on this device: a pure function of the configuration and the links
// that exist. Applier makes it true.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/model.h"
#include "core/message.h"
#include "kernel/datapath.h"
#include "kernel/network.h"

namespace nsrp::daemon {

using LinksByName = std::map<std::string, kernel::Link>;

struct InterfacePlan {
  kernel::Link link;
  bool traffic = false;                          // carries VSIs: XDP and tc programs
  bool ha = false;                               // an HA link
  bool port = false;                             // of the transparent device
  std::vector<kernel::WantedAddress> addresses;  // in order: manage IPs first
  std::vector<MacAddress> virtual_macs;
  bool dormant = false;  // every VSI on it is down
};

struct Plan {
  std::map<std::string, InterfacePlan> interfaces;
  std::vector<IfIndex> ports;  // of the transparent device
  std::vector<kernel::InterfaceEntry> entries;
  std::vector<kernel::VsiEntry> vsis;
  std::vector<kernel::AddressEntry> addresses;
  std::vector<kernel::WantedRoute> routes;
  std::vector<kernel::WantedRule> rules;
  std::vector<kernel::VsdRouteEntry> vsd_routes;  // those of `routes` that are of a VSD's own table, for the data path
  std::vector<std::string> missing;               // configured interfaces that do not exist
};

// The links between members by their numbers (core/message.h), as this configuration has them.
std::map<core::LinkIndex, std::string> link_names(const config::Config& config);

// VSIs of the VSDs in `down` are shown to routing daemons as down (manual ch. 1, "Dynamic Routing Advisory"): the
// interface is dormant, or, where active VSIs share it, without the subnets of those that are down.
Plan make_plan(const config::Config& config, const LinksByName& links, const std::set<VsdId>& down = {});

// A port of the transparent device cannot carry another interface of the configuration.
Status check_ports(const Plan& plan);

// Announcements of one VSD: every address of its VSIs with the virtual MAC.
struct AnnounceTarget {
  IfIndex ifindex;
  MacAddress virtual_mac;
  std::vector<IpAddress> addresses;
};
std::map<VsdId, std::vector<AnnounceTarget>> announce_targets(const config::Config& config, const LinksByName& links);

// Routing table of a VSD's own routes; VSD 0 uses the main table.
uint32_t routing_table_of(VsdId vsd);

}  // namespace nsrp::daemon
