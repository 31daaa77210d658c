// SPDX-License-Identifier: Apache-2.0
#include "kernel/datapath.h"

#include <bpf/bpf.h>
#include <net/if.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "kernel/bpf_objects.h"
#include "kernel/counters.h"
#include "kernel/datapath_tables.h"
#include "kernel/lease_table.h"
#include "kernel/libbpf_log.h"
#include "kernel/map_table.h"
#include "kernel/migration.h"
#include "kernel/pins.h"
#include "kernel/session_support.h"
#include "kernel/tc_attach.h"
#include "kernel/xdp_attach.h"

namespace nsrp::kernel {
namespace {

constexpr uint32_t kKeepProtocols = UINT32_MAX;

Status check_kernel() {
  if (geteuid() != 0) return fail("the data path needs root: BPF programs are loaded and attached to interfaces");
  if (access("/sys/kernel/btf/vmlinux", R_OK) != 0)
    return fail("this kernel has no BTF (/sys/kernel/btf/vmlinux): one built with CONFIG_DEBUG_INFO_BTF is needed");
  return {};
}

constexpr int kNone = -1;

// XDP comes last: what it answers and passes relies on the tc programs being there.
Result<XdpMode> attach_all(IfIndex ifindex, int xdp, int tc_in, int tc_out) {
  for (const auto& [side, program] : {std::pair(TcSide::kIngress, tc_in), std::pair(TcSide::kEgress, tc_out)}) {
    if (program == kNone) continue;
    if (Status done = attach_tc(ifindex, side, program); !done) return fail(done.error());
  }
  return attach_xdp(ifindex, xdp);
}

bool has_own_tc(IfIndex ifindex) {
  return has_own_tc(ifindex, TcSide::kIngress) || has_own_tc(ifindex, TcSide::kEgress);
}

// An interface that is refused stays as it was; one that had our programs keeps what it has.
Result<XdpMode> attach_or_leave(IfIndex ifindex, int xdp, int tc_in, int tc_out) {
  const bool had_ours = has_own_tc(ifindex);
  Result<XdpMode> mode = attach_all(ifindex, xdp, tc_in, tc_out);
  if (!mode && !had_ours) (void)detach_tc(ifindex);
  return mode;
}

std::vector<IfIndex> all_interfaces() {
  std::vector<IfIndex> found;
  struct if_nameindex* list = if_nameindex();
  if (list == nullptr) return found;
  for (struct if_nameindex* entry = list; entry->if_index != 0; ++entry) found.push_back(IfIndex{entry->if_index});
  if_freenameindex(list);
  return found;
}

}  // namespace

struct Datapath::Impl {
  explicit Impl(const std::string& bpf_dir) : pins(bpf_dir) {}

  Pins pins;
  bool sessions_supported = false;
  std::unique_ptr<BpfObjects> objects;
  std::unique_ptr<LeaseTable> leases;
  std::optional<Migration> migration;
  Result<size_t> migrated = size_t{0};

  void migrate();
  Migration::MapFd our_maps() const {
    return [this](const std::string& name) { return objects->map_fd(name); };
  }

  Status change_fast_path(uint32_t protocols) const;  // and void every permit
};

void Datapath::Impl::migrate() {
  if (!objects->adopted()) migration = Migration::find(pins);
  if (!migration) return pins.remove_other_layouts();
  migrated = migration->copy_all(our_maps());
}

Datapath::Datapath() = default;
Datapath::~Datapath() = default;

Result<std::unique_ptr<Datapath>> Datapath::open(const DatapathOptions& options) {
  if (Status usable = check_kernel(); !usable) return fail(usable.error());
  std::unique_ptr<Datapath> datapath(new Datapath());
  datapath->impl_ = std::make_unique<Impl>(options.bpf_dir);
  Impl& impl = *datapath->impl_;
  if (Status prepared = impl.pins.prepare(); !prepared) return fail(prepared.error());
  impl.sessions_supported = conntrack_is_readable();
  auto objects = BpfObjects::load(impl.pins, {.max_sessions = options.max_sessions,
                                              .event_ring_bytes = options.event_ring_bytes,
                                              .sessions_enabled = impl.sessions_supported,
                                              .kernel_hz = kernel_hz()});
  if (!objects) {
    impl.pins.remove_if_empty();
    return fail(objects.error());
  }
  impl.objects = std::move(*objects);
  impl.migrate();
  auto leases = LeaseTable::map(impl.objects->map_fd("vsd_state"));
  if (!leases) return fail(leases.error());
  impl.leases = std::move(*leases);
  return datapath;
}

bool Datapath::adopted() const {
  return impl_->objects->adopted() || impl_->migration;
}
std::optional<unsigned> Datapath::upgraded_from() const {
  return impl_->migration ? std::optional(impl_->migration->version()) : std::nullopt;
}

Result<size_t> Datapath::finish_upgrade() {
  if (!impl_->migration) return size_t{0};
  const Result<size_t> copied = impl_->migration->copy_new_sessions(impl_->our_maps());
  impl_->migration.reset();
  impl_->pins.remove_other_layouts();
  if (!impl_->migrated || !copied) return impl_->migrated ? copied : impl_->migrated;
  return *impl_->migrated + *copied;
}

bool Datapath::sessions_supported() const {
  return impl_->sessions_supported;
}

Result<XdpMode> Datapath::attach_traffic(IfIndex ifindex) {
  const BpfObjects& objects = *impl_->objects;
  return attach_or_leave(ifindex, objects.program_fd("nsrp_traffic_in"), objects.program_fd("nsrp_tc_in"),
                         objects.program_fd("nsrp_tc_out"));
}

Result<XdpMode> Datapath::attach_ha(IfIndex ifindex) {
  return attach_or_leave(ifindex, impl_->objects->program_fd("nsrp_ha_in"), impl_->objects->program_fd("nsrp_ha_tc"),
                         kNone);
}

Result<XdpMode> Datapath::attach_port(IfIndex ifindex) {
  return attach_or_leave(ifindex, impl_->objects->program_fd("nsrp_port_in"), kNone,
                         impl_->objects->program_fd("nsrp_port_out"));
}

Status Datapath::detach(IfIndex ifindex) {
  Status xdp = detach_xdp(ifindex);
  Status tc = detach_tc(ifindex);
  return xdp ? tc : xdp;
}

bool Datapath::lift_generic_xdp(IfIndex ifindex) {
  return own_xdp_mode(ifindex) == XdpMode::kGeneric && detach_xdp(ifindex).has_value();
}

std::vector<IfIndex> Datapath::attached() const {
  std::vector<IfIndex> ours;
  for (const IfIndex ifindex : all_interfaces()) {
    if (own_xdp_mode(ifindex) != XdpMode::kNone || has_own_tc(ifindex)) ours.push_back(ifindex);
  }
  return ours;
}

Status Datapath::set_interfaces(std::span<const InterfaceEntry> entries) {
  const BpfObjects& objects = *impl_->objects;
  if (Status done = replace_table(objects.map_fd("if_config"), interface_table(entries), "interfaces"); !done)
    return done;
  return replace_table(objects.map_fd("vlan_devices"), vlan_table(entries), "VLAN devices");
}

Status Datapath::set_vsis(std::span<const VsiEntry> entries) {
  const VsiTables tables = vsi_tables(entries);
  const BpfObjects& objects = *impl_->objects;
  if (Status done = replace_table(objects.map_fd("vsi_by_vid"), tables.by_vid, "virtual interfaces"); !done)
    return done;
  if (Status done = replace_table(objects.map_fd("vsi_by_vsd"), tables.by_vsd, "virtual interfaces"); !done)
    return done;
  return replace_table(objects.map_fd("vsi_by_mac"), tables.by_mac, "virtual interfaces");
}

Status Datapath::set_addresses(std::span<const AddressEntry> entries) {
  return replace_table(impl_->objects->map_fd("addr_table"), address_table(entries), "addresses");
}

Status Datapath::set_vsd_routes(std::span<const VsdRouteEntry> entries) {
  return replace_table(impl_->objects->map_fd("vsd_routes"), route_table(entries), "routes");
}

// The port is there before it is used, and in use no more before it goes.
Status Datapath::set_data_link(std::optional<DataLink> link, ClusterId cluster, bool data_forwarding) {
  const int ports = impl_->objects->map_fd("tx_ports");
  const uint32_t key = 0;
  nsrp_data_link value{};
  value.cluster_id = cluster.value;
  value.data_forwarding = data_forwarding ? 1 : 0;
  if (link) {
    value.ifindex = link->ifindex.value;
    copy_mac(link->own_mac, value.own_mac);
    copy_mac(link->peer_mac, value.peer_mac);
    if (const int err = bpf_map_update_elem(ports, &key, &value.ifindex, BPF_ANY); err != 0)
      return fail("the data path cannot send over the data link: " + errno_text(err));
  }
  if (const int err = bpf_map_update_elem(impl_->objects->map_fd("data_link"), &key, &value, BPF_ANY); err != 0)
    return fail("the data link cannot be set: " + errno_text(err));
  if (!link) (void)bpf_map_delete_elem(ports, &key);
  return {};
}

Status Datapath::Impl::change_fast_path(uint32_t protocols) const {
  const int map = objects->map_fd("fast_config");
  const uint32_t key = 0;
  nsrp_fast_config config{};
  if (bpf_map_lookup_elem(map, &key, &config) != 0) return fail("the fast path cannot be read: " + errno_text(-errno));
  config.protocols = protocols == kKeepProtocols ? config.protocols : protocols;
  ++config.generation;
  if (const int err = bpf_map_update_elem(map, &key, &config, BPF_ANY); err != 0)
    return fail("the fast path cannot be set: " + errno_text(err));
  return {};
}

// Ports are there before they are used, and in use no more before they go.
Status Datapath::set_fast_path(const FastPath& wanted) {
  const uint32_t protocols = (wanted.tcp ? uint32_t{NSRP_FAST_TCP} : 0) | (wanted.udp ? uint32_t{NSRP_FAST_UDP} : 0);
  std::vector<TableEntry<nsrp_u32, nsrp_u32>> ports;
  for (const IfIndex port : wanted.ports) ports.push_back({port.value, port.value});
  if (protocols == 0) {
    if (Status off = impl_->change_fast_path(0); !off) return off;
    ports.clear();
  }
  if (Status set = replace_table(impl_->objects->map_fd("fast_ports"), ports, "interfaces"); !set) return set;
  return protocols == 0 ? Status{} : impl_->change_fast_path(protocols);
}

Status Datapath::void_permits() {
  return impl_->change_fast_path(kKeepProtocols);
}

Status Datapath::pace_permits(uint64_t sessions) const {
  constexpr uint64_t kSecond = 1'000'000'000, kMost = NSRP_FAST_PERMIT_MAX_NS / kSecond * NSRP_FAST_RENEWALS;
  const uint64_t directions = std::min(2 * sessions, kMost), needed = directions * kSecond / NSRP_FAST_RENEWALS;
  const uint64_t permit = std::max<uint64_t>(needed, NSRP_FAST_PERMIT_NS);
  const uint32_t key = 0;
  if (const int err = bpf_map_update_elem(impl_->objects->map_fd("fast_permit"), &key, &permit, BPF_ANY); err != 0)
    return fail("the time of permits cannot be set: " + errno_text(err));
  return {};
}

void Datapath::grant_lease(VsdId vsd, Instant until, Duration alone_grace, uint64_t term) noexcept {
  impl_->leases->grant(vsd, until, alone_grace, term);
}
void Datapath::revoke_lease(VsdId vsd, Instant drain_until) noexcept {
  impl_->leases->revoke(vsd, drain_until);
}
void Datapath::set_succession(VsdId vsd, Instant until) noexcept {
  impl_->leases->succeed(vsd, until);
}
Lease Datapath::lease(VsdId vsd) const noexcept {
  return impl_->leases->read(vsd);
}

Result<Counters> Datapath::counters() const {
  return read_counters(impl_->objects->map_fd("counters"));
}
Status Datapath::clear_counters() {
  return kernel::clear_counters(impl_->objects->map_fd("counters"));
}

int Datapath::sessions_fd() const {
  return impl_->objects->map_fd("sessions");
}
int Datapath::reply_index_fd() const {
  return impl_->objects->map_fd("reply_index");
}
int Datapath::session_events_fd() const {
  return impl_->objects->map_fd("session_events");
}
int Datapath::fast_flows_fd() const {
  return impl_->objects->map_fd("fast_flows");
}
int Datapath::held_packets_fd() const {
  return impl_->objects->map_fd("held_packets");
}
int Datapath::held_gates_fd() const {
  return impl_->objects->map_fd("held_gates");
}
int Datapath::defers_fd() const {
  return impl_->objects->map_fd("defers");
}
int Datapath::program_fd(const std::string& name) const {
  return impl_->objects->program_fd(name);
}

Status Datapath::remove() {
  Status first;
  const std::vector<IfIndex> all = attached();
  for (const IfIndex ifindex : all) (void)lift_generic_xdp(ifindex);  // what stands on top goes first
  for (const IfIndex ifindex : all) {
    Status detached = detach(ifindex);
    if (first && !detached) first = std::move(detached);
  }
  impl_->pins.remove();
  return first;
}

}  // namespace nsrp::kernel
