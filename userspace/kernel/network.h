// SPDX-License-Identifier: Apache-2.0
// Links, addresses, routes and rules through rtnetlink; the sysctls and NIC features a VSI needs.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/ids.h"
#include "base/result.h"

namespace nsrp::kernel {

struct Link {
  IfIndex ifindex;
  std::string name;
  MacAddress mac;
  bool up = false;       // administratively
  bool carrier = false;  // IFF_LOWER_UP
  uint32_t mtu = 0;
  uint32_t speed_mbps = 0;  // 0: unknown
  bool ethernet = false;    // ARPHRD_ETHER and not loopback
};

// An address we put on an interface. Order matters: the manage IP comes before VSI addresses of its subnet, so that it
// becomes the primary address there (source selection).
struct WantedAddress {
  Prefix prefix;
  std::string label;  // IPv4 only, "eth1:1"; "" none
};

struct WantedRoute {
  Prefix destination;
  IfIndex ifindex;
  std::optional<IpAddress> gateway;
  uint32_t metric = 0;      // 0: the kernel's default
  uint32_t table = 254;     // RT_TABLE_MAIN
  auto operator<=>(const WantedRoute&) const = default;
};

// Packets marked for a VSD (NSRP_MARK_MASK) look into the VSD's own table first.
struct WantedRule {
  Family family;
  uint32_t mark, mask, table;
  auto operator<=>(const WantedRule&) const = default;
};

class Network {
 public:
  static Result<std::unique_ptr<Network>> open();
  ~Network();

  Result<std::vector<Link>> links() const;
  Result<std::optional<Link>> find(const std::string& name) const;

  // Readable when links changed; consume_events() then calls `changed` once per link message, `gone` for deletions.
  int events_fd() const;
  void consume_events(const std::function<void(const Link&)>& changed,
                      const std::function<void(IfIndex, const std::string&)>& gone);

  // Makes the interface carry exactly the wanted addresses among those this object ever put there or found in
  // `also_ours` (left by an earlier run); foreign addresses stay. IPv6 goes in with nodad.
  Status set_addresses(IfIndex ifindex, const std::vector<WantedAddress>& wanted,
                       const std::vector<Prefix>& also_ours);
  // Routes and rules carry our own protocol number (kRouteProtocol): exactly the wanted ones of it remain.
  Status set_routes(const std::vector<WantedRoute>& wanted);
  Status set_rules(const std::vector<WantedRule>& wanted);
  static constexpr uint8_t kRouteProtocol = 78;

  // Unicast filter entries, so that the NIC delivers virtual MACs without promiscuity (NTF_SELF); where a driver
  // refuses, the interface goes promiscuous.
  Status set_unicast_filter(IfIndex ifindex, const std::vector<MacAddress>& macs);

  Status set_link_up(IfIndex ifindex, bool up);
  // The interface's IPv6 link-local address, when it has one that is usable.
  Result<std::optional<IpAddress>> link_local(IfIndex ifindex) const;

  // arp_ignore, arp_announce, promote_secondaries, rp_filter as a VSI needs them. remember_sysctls() keeps the values
  // found before for restore_sysctls().
  Status prepare_traffic_interface(const std::string& name);
  // VLAN offload off (tags must be in the frame for XDP), IPv6 link-local on.
  Status prepare_ha_interface(const std::string& name);
  void restore();  // undoes what prepare_* and set_* did

 private:
  Network();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nsrp::kernel
