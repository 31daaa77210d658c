// SPDX-License-Identifier: Apache-2.0
// The BPF side of this box: programs attached, maps pinned under <bpf_dir>/v<NSRP_ABI_VERSION>/.
//
//   auto datapath = Datapath::open({.bpf_dir = "/sys/fs/bpf/nsrp"});
//   (*datapath)->attach_traffic(ifindex);
//   (*datapath)->grant_lease(vsd, now + 500ms, {}, term);
//
// Pinned maps of an earlier run with the same layout are adopted with their contents. Of an earlier layout leases,
// sessions and the data link are taken over. The programs stay attached when the process dies: that is what lets
// traffic live through a restart of the daemon. Not thread-safe, except the lease functions, which are lock-free stores
// into mapped memory.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "nsrp/abi/nsrp_abi.h"

namespace nsrp::kernel {

struct DatapathOptions {
  std::string bpf_dir = "/sys/fs/bpf/nsrp";
  uint32_t max_sessions = NSRP_DEFAULT_MAX_SESSIONS;
  uint32_t event_ring_bytes = NSRP_EVENT_RING_BYTES;
};

enum class XdpMode : uint8_t { kNone, kNative, kGeneric };
std::string_view to_string(XdpMode mode);  // "none", "native", "generic"

struct DataLink {
  IfIndex ifindex;
  MacAddress own_mac, peer_mac;
};

// What the daemon wants to be true of one interface.
struct InterfaceEntry {
  IfIndex ifindex;
  uint32_t flags = 0;  // enum nsrp_if_flags
  Vid only_vid;
  MacAddress mac;
  IfIndex lower{};        // of a VLAN device: the interface it stands on
  uint16_t vlan_vid = 0;  // and its tag
};

struct VsiEntry {
  IfIndex ifindex;
  Vid vid;
  VsdId vsd;
  MacAddress vmac;
  bool defers = false;  // first packets of its VSD's sessions wait for the peer
};

struct AddressEntry {
  IfIndex ifindex;
  IpAddress address;
  nsrp_addr_kind kind;
  Vid vid;
};

// A route of a VSD that has a routing table of its own.
struct VsdRouteEntry {
  VsdId vsd;
  Prefix destination;
  IfIndex ifindex;
};

// What XDP may forward by itself. Nothing of both protocols: the fast path is off.
struct FastPath {
  bool tcp = false, udp = false;
  std::vector<IfIndex> ports;  // interfaces that XDP can send to: with our programs, natively
  bool operator==(const FastPath&) const = default;
};

struct Lease {
  Instant until;  // epoch: not master
  Duration alone_grace;
  Instant peer_seen;
  uint64_t term = 0;
};

using Counters = std::array<uint64_t, NSRP_CNT_MAX>;
std::string_view counter_name(nsrp_counter counter);
std::string_view counter_help(nsrp_counter counter);

class Datapath {
 public:
  // Fails with one sentence when not root, without BTF, without bpffs (it tries to mount one at /sys/fs/bpf), or when
  // the kernel refuses a program (the verifier's last line is in the message).
  static Result<std::unique_ptr<Datapath>> open(const DatapathOptions& options);
  ~Datapath();

  bool adopted() const;  // maps of an earlier run were found, or those of an earlier layout
  // Set when contents came from an earlier layout, whose programs work on its own maps until ours have taken their
  // place everywhere. Then finish_upgrade() fetches what has come meanwhile and removes the earlier layout's pins.
  std::optional<unsigned> upgraded_from() const;
  Result<size_t> finish_upgrade();  // how many entries found no room, or why not all could be read
  bool sessions_supported() const;  // tc programs can read conntrack here; otherwise no session is recorded

  // XDP natively where the driver can, generic otherwise; tc ingress and egress on clsact. Attaching twice replaces the
  // programs without a gap. Refuses an interface that carries somebody else's XDP program.
  Result<XdpMode> attach_traffic(IfIndex ifindex);
  Result<XdpMode> attach_ha(IfIndex ifindex);
  Result<XdpMode> attach_port(IfIndex ifindex);  // of the transparent device
  Status detach(IfIndex ifindex);
  // Takes our XDP program off an interface that carries it generically, as VLAN devices do; tc programs stay. Kernels
  // before 6.13 refuse any change on a device while a device on top of it has an XDP program. True: there was one.
  bool lift_generic_xdp(IfIndex ifindex);
  // Interfaces of this namespace with programs of ours, also those an earlier run left there.
  std::vector<IfIndex> attached() const;

  // Each replaces the whole table by what is given, without a moment in which an entry that stays is missing.
  Status set_interfaces(std::span<const InterfaceEntry> entries);
  Status set_vsis(std::span<const VsiEntry> entries);
  Status set_addresses(std::span<const AddressEntry> entries);
  Status set_vsd_routes(std::span<const VsdRouteEntry> entries);
  Status set_data_link(std::optional<DataLink> link, ClusterId cluster, bool data_forwarding);

  Status set_fast_path(const FastPath& wanted);
  // Routes, neighbours, links or packet filter rules have changed: every permit of the fast path is void, and the next
  // packet of each session shows anew how it leaves.
  Status void_permits();
  // So many sessions there are: how long permits last follows from it (NSRP_FAST_RENEWALS).
  Status pace_permits(uint64_t sessions) const;

  void grant_lease(VsdId vsd, Instant until, Duration alone_grace, uint64_t term) noexcept;
  void revoke_lease(VsdId vsd, Instant drain_until = {}) noexcept;  // what has come in may leave until then
  // Until then what the peer passes on is taken, and the first such packet makes this box master here. The epoch: no
  // more of that.
  void set_succession(VsdId vsd, Instant until) noexcept;
  Lease lease(VsdId vsd) const noexcept;

  Result<Counters> counters() const;  // summed over CPUs
  Status clear_counters();

  // File descriptors for SessionTable (kernel/session_table.h).
  int sessions_fd() const;
  int reply_index_fd() const;
  int session_events_fd() const;
  int fast_flows_fd() const;
  // The same for HeldFrames (kernel/held_frames.h).
  int held_packets_fd() const;
  int held_gates_fd() const;
  int defers_fd() const;

  // A loaded program by its name, "nsrp_tc_out"; throws std::out_of_range for any other. For BPF_PROG_TEST_RUN.
  int program_fd(const std::string& name) const;

  // Detaches from every interface in this namespace and unpins everything: what SIGTERM does unless asked to keep.
  // Goes on after a failure and returns the first.
  Status remove();

 private:
  Datapath();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nsrp::kernel
