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
  bool promiscuous = false;
  uint32_t mtu = 0;
  uint32_t speed_mbps = 0;  // 0: unknown
  IfIndex lower;            // what a VLAN device stands on; 0: nothing
  IfIndex master;           // the bridge or bond it belongs to; 0: none
  bool ethernet = false;    // ARPHRD_ETHER and not loopback
  uint16_t vlan_vid = 0;    // the tag of a VLAN device (802.1Q)
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
  uint32_t metric = 0;   // 0: the kernel's default
  uint32_t table = 254;  // RT_TABLE_MAIN
  auto operator<=>(const WantedRoute&) const = default;
};

// Packets marked for a VSD (NSRP_MARK_MASK) look into the VSD's own table first.
struct WantedRule {
  Family family;
  uint32_t mark, mask, table;
  auto operator<=>(const WantedRule&) const = default;
};

using LinkChanged = std::function<void(const Link&)>;
using LinkGone = std::function<void(IfIndex, const std::string&)>;

class Network {
 public:
  static Result<std::unique_ptr<Network>> open();
  ~Network();

  Result<std::vector<Link>> links() const;
  Result<std::optional<Link>> find(const std::string& name) const;

  // Readable when links changed; consume_events() then calls `changed` once per link message, `gone` for deletions, and
  // does not block. Should the kernel have dropped events, every link is reported as it is now: none is missed, but one
  // may be told twice.
  int events_fd() const;
  void consume_events(const LinkChanged& changed, const LinkGone& gone);

  // Makes the interface carry exactly the wanted addresses among those this object ever put there or found in
  // `also_ours` (left by an earlier run); foreign addresses stay. The first wanted address of a subnet becomes the one
  // the box speaks from there: IPv4 primary, and the only one of the subnet that is not deprecated in IPv6. A label
  // longer than the kernel's 15 characters is left out. IPv6 goes in with nodad.
  Status set_addresses(IfIndex ifindex, const std::vector<WantedAddress>& wanted, const std::vector<Prefix>& also_ours);
  // Routes and rules carry our own protocol number (kRouteProtocol): exactly the wanted ones of it remain. One that the
  // kernel refuses does not keep the others out; the first refusal is returned. The kernel drops routes when their
  // interface goes down administratively and takes none through an interface that is down: call again when it is up.
  Status set_routes(const std::vector<WantedRoute>& wanted);
  Status set_rules(const std::vector<WantedRule>& wanted);
  static constexpr uint8_t kRouteProtocol = 78;
  static constexpr uint32_t kRulePriority = 10078;

  // Unicast filter entries, so that the NIC delivers virtual MACs without promiscuity (NTF_SELF); where a driver
  // refuses, the interface goes promiscuous.
  Status set_unicast_filter(IfIndex ifindex, const std::vector<MacAddress>& macs);

  Status set_link_up(IfIndex ifindex, bool up);
  // A dormant interface (RFC 2863) is not running: routing daemons take it for down. Packets pass as ever. VLAN devices
  // on top of it become dormant, too.
  Status set_dormant(IfIndex ifindex, bool dormant);
  // The bridge of the transparent device. The first takes out every port but these, and removes the bridge itself when
  // none is to stay; the second puts these in, and makes the bridge when there is none. A port's programs must be in
  // place between the two: a bridge passes frames at once. restore() leaves the bridge alone.
  Status keep_bridge_ports(const std::string& bridge, const std::vector<IfIndex>& ports);
  Status add_bridge_ports(const std::string& bridge, const std::vector<IfIndex>& ports);
  // The interface's IPv6 link-local address, when it has one that is usable (duplicate address detection is over).
  Result<std::optional<IpAddress>> link_local(IfIndex ifindex) const;

  // arp_ignore, arp_announce, promote_secondaries, rp_filter as a VSI needs them, and IPv6 addresses that survive the
  // interface going down. Call it before set_addresses().
  Status prepare_traffic_interface(const std::string& name);
  // VLAN offload off (tags must be in the frame for XDP), IPv6 link-local on, link up.
  Status prepare_ha_interface(const std::string& name);
  // Conntrack sees one packet a second of what the fast path forwards, and has to live with what it has missed: TCP
  // windows are not held against anybody, and data that it saw no answer to does not shorten a connection's life.
  // False: there is no conntrack in this namespace (yet).
  Result<bool> prepare_fast_path();
  // Undoes what prepare_* and the set_* functions did, except that links stay up. The destructor does not: a daemon
  // that is killed or told to keep things leaves all as it is.
  void restore();

 private:
  Network();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nsrp::kernel
