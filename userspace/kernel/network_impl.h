// SPDX-License-Identifier: Apache-2.0
// What the parts of Network share: the sockets, and what this object changed and therefore can undo.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "kernel/ethtool.h"
#include "kernel/network.h"
#include "kernel/rtnetlink.h"
#include "kernel/sysctl.h"
#include "kernel/unique_fd.h"

struct nlmsghdr;

namespace nsrp::kernel {

struct Network::Impl {
  explicit Impl(Ethtool tool) : ethtool(std::move(tool)) {}

  std::unique_ptr<Rtnetlink> rtnetlink;
  Ethtool ethtool;
  Sysctls sysctls;

  // network_links.cc
  UniqueFd events;
  std::map<IfIndex, std::string> known_links;  // to report what vanished while events were lost
  bool events_lost = false;
  std::optional<Link> parse_link(const nlmsghdr* header) const;  // without the speed
  Result<std::vector<Link>> dump_links() const;                  // without the speed
  Result<std::vector<Link>> links() const;
  void handle_event(const nlmsghdr* header, const LinkChanged& changed, const LinkGone& gone);
  void report_all(const LinkChanged& changed, const LinkGone& gone);
  Status change_flags(IfIndex ifindex, uint32_t mask, uint32_t flags) const;
  std::set<IfIndex> made_dormant;

  // network_bridge.cc
  Status make_bridge(const std::string& name) const;
  Status set_master(IfIndex ifindex, IfIndex master) const;

  // network_addresses.cc
  std::map<IfIndex, std::set<Prefix>> our_addresses;

  // network_routes.cc
  bool routes_set = false, rules_set = false;

  // network_devices.cc
  Status set_promiscuous(IfIndex ifindex, bool on);
  Status relax_reverse_path(const std::string& ipv4);
  std::map<IfIndex, std::set<MacAddress>> our_filters;
  std::set<IfIndex> made_promiscuous;
  struct OffloadChange {
    std::string name;
    Ethtool::VlanOffload which;
  };
  std::vector<OffloadChange> offloads_off;
};

std::string interface_name(IfIndex ifindex);  // "interface 7" when it is gone

inline Error refusal(const std::string& what, const Rtnetlink::Answer& answer) {
  return Error{"cannot " + what + ": " + answer.reason()};
}

}  // namespace nsrp::kernel
