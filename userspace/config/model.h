// SPDX-License-Identifier: Apache-2.0
// The configuration as values: what the `set` commands of a file say, with the manual's defaults.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/ids.h"
#include "base/time.h"

namespace nsrp::config {

struct VsdGroup {
  VsdId id;
  uint8_t priority = 100;
  bool preempt = false;
  seconds hold_down{0};
  bool ineligible = false;  // `mode ineligible`
  // How long the first packet of a session waits at most until the peer has the session; 0: not at all.
  milliseconds defer{0};
  bool operator==(const VsdGroup&) const = default;
};

inline constexpr milliseconds kDefaultDefer{10};

// Zones of layer 2 (transparent mode): their interfaces are bridged, and pass frames on the master of VSD 0 only.
inline constexpr std::array<std::string_view, 3> kTransparentZones = {"v1-trust", "v1-untrust", "v1-dmz"};
inline constexpr std::string_view kTransparentDevice = "nsrpv1";  // the bridge that has them as ports

struct Interface {
  std::string name;  // a Linux interface name
  // "" and "null": unmanaged; "ha": an HA link; one of kTransparentZones: a port of the transparent device; any other:
  // a security zone
  std::string zone;
  // Addresses by VSD. VSD 0 holds what `set interface eth1 ip` gave: VSIs of VSD 0 while that group exists, local
  // addresses otherwise (manual ch. 1, "NSRP Clusters").
  std::map<VsdId, std::vector<Prefix>> addresses;
  std::vector<IpAddress> manage_ips;  // at most one per family

  bool is_ha() const { return zone == "ha"; }
  bool is_transparent() const;
  bool is_security() const { return !zone.empty() && zone != "ha" && zone != "null" && !is_transparent(); }
  bool operator==(const Interface&) const = default;
};

struct Route {
  std::string vrouter;
  Prefix destination;
  std::string ifname;
  VsdId vsd;  // of the VSI the route leaves through
  std::optional<IpAddress> gateway;
  std::optional<uint32_t> metric;
  bool operator==(const Route&) const = default;
};

struct MonitoredInterface {
  std::string ifname;
  uint8_t weight = 255;
  bool operator==(const MonitoredInterface&) const = default;
};

// Sessions whose conntrack mark is this under the mask are not mirrored.
struct NoBackupMark {
  uint32_t value = 0;
  uint32_t mask = 0xffffffff;
  bool operator==(const NoBackupMark&) const = default;
};

struct HaLinkProbe {
  uint8_t interval_s = 15;
  uint8_t threshold = 5;  // probes in a row without an answer
  bool operator==(const HaLinkProbe&) const = default;
};

// A password. A type of its own so that it gets into no message by accident: only print() writes it down, into the
// configuration's file.
struct Secret {
  std::string text;  // "": none
  bool empty() const { return text.empty(); }
  bool operator==(const Secret&) const = default;
};

struct Config {
  std::string hostname;  // "": the system's
  ClusterId cluster;     // 0: in no cluster
  std::string cluster_name;
  std::map<VsdId, VsdGroup> vsd_groups;
  uint8_t init_hold = 5;
  milliseconds hb_interval{1000};
  uint8_t hb_threshold = 3;
  bool master_always_exist = false;
  uint8_t arp = 4;
  bool arp_always_on_dest = false;  // as the operator has it; what it asks for holds either way (docs/operations.md)
  bool data_forwarding = true;
  bool fast_path = false;
  uint32_t max_sessions = 262144;  // from the next start on
  bool rto_sync = false;
  uint8_t rto_hb_interval_s = 4;
  uint8_t rto_hb_threshold = 16;
  bool rto_session_off = false;  // tell the peer of no session
  bool rto_clear_on_inactive = false;
  std::optional<NoBackupMark> rto_no_backup;
  std::string control_interface;  // ifname, in a security zone; "": none
  std::string secondary_path;     // ifname; "": none
  std::optional<HaLinkProbe> ha_link_probe;
  Secret auth_password, encrypt_password;
  std::vector<MonitoredInterface> monitored;
  std::map<std::string, Interface> interfaces;  // by name
  std::vector<Route> routes;

  bool operator==(const Config&) const = default;
};

// A virtual security interface, equal on all members of the cluster.
struct Vsi {
  std::string ifname;
  VsdId vsd;
  Vid vid;          // derived from interface name and VSD, see vsi.cc
  MacAddress vmac;  // locally administered: 02:4e:53:…
  std::vector<Prefix> addresses;
  std::string name() const;  // "eth1" for VSD 0, else "eth1:1"
  bool operator==(const Vsi&) const = default;
};

// Every VSI of the configuration, in order of name. Empty outside a cluster.
std::vector<Vsi> vsis_of(const Config& config);

// "eth1" for VSD 0, else "eth1:1".
std::string vsi_name(const std::string& ifname, VsdId vsd);

// Addresses of the interface that are local to this device: all that `set interface eth1 ip` gave, unless VSD group 0
// of a cluster has made them VSIs.
std::vector<Prefix> local_addresses_of(const Config& config, const std::string& ifname);

// A manage IP with the prefix length of the interface's subnet it lies in. nullopt: it lies in none.
std::optional<Prefix> manage_prefix(const Interface& interface, const IpAddress& manage_ip);

// Interfaces in the order in which people count: eth2 before eth10.
std::vector<const Interface*> interfaces_in_order(const Config& config);

// HA interfaces in the manual's order (lowest number first): ha1 before ha2, eth2 before eth10. At most three count.
std::vector<std::string> ha_interfaces_of(const Config& config);

// Order of interface names by text, then number.
bool interface_name_less(const std::string& a, const std::string& b);

}  // namespace nsrp::config
