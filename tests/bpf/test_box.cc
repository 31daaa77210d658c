// SPDX-License-Identifier: Apache-2.0
#include "test_box.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "namespaces.h"

namespace nsrp::test {
namespace {

using kernel::AddressEntry;
using kernel::DataLink;
using kernel::InterfaceEntry;
using kernel::VsiEntry;

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

// Two veth pairs of the test's own namespace, made once: their far ends carry nothing.
void make_interfaces() {
  if (if_nametoindex("traffic0") != 0) return;
  run("ip link add traffic0 type veth peer name ha0 && ip link add traffic1 type veth peer name spare0");
  run("ip link set traffic0 up && ip link set ha0 up && ip link set traffic1 up && ip link set spare0 up");
  run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
  run("ip route add 10.2.0.0/16 dev traffic1 && ip route add 10.3.0.0/16 via 10.2.0.254 dev traffic1");
  run("ip route add 2001:db8:2::/48 dev traffic1 && ip route add 2001:db8:3::/48 via 2001:db8:2::254 dev traffic1");
}

}  // namespace

std::string unique_bpf_dir() {
  static int number = 0;
  return "/sys/fs/bpf/nsrp-bpf-test-" + std::to_string(getpid()) + "-" + std::to_string(number++);
}

Instant now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return Instant{seconds{time.tv_sec} + Duration{time.tv_nsec}};
}

TestBox::TestBox() {
  make_interfaces();
  traffic_ = IfIndex{if_nametoindex("traffic0")};
  other_ = IfIndex{if_nametoindex("traffic1")};
  ha_ = IfIndex{if_nametoindex("ha0")};
  datapath_ = must(kernel::Datapath::open({.bpf_dir = unique_bpf_dir(), .max_sessions = 1024}));
  // A run of a program that is attached nowhere costs 20 ms.
  must(datapath_->attach_traffic(traffic_));
  must(datapath_->attach_ha(ha_));
  configure({VsiEntry{traffic_, kVid, VsdId{0}, mac(kVmac)}});
  set_data_link(true, true);
}

TestBox::~TestBox() {
  if (datapath_) datapath_->remove();
}

void TestBox::configure(const std::vector<VsiEntry>& vsis) {
  const bool several = vsis.size() > 1;
  const uint32_t flags = NSRP_IF_TRAFFIC | (several ? uint32_t{NSRP_IF_MULTI_VSD} : 0);
  must(datapath_->set_interfaces(std::vector{InterfaceEntry{traffic_, flags, several ? Vid{} : kVid, mac(kOwnMac)},
                                             InterfaceEntry{other_, NSRP_IF_TRAFFIC, Vid{}, mac(kOwnMac)},
                                             InterfaceEntry{ha_, NSRP_IF_HA, Vid{}, mac(kHaMac)}}));
  must(datapath_->set_vsis(vsis));
  std::vector<AddressEntry> addresses{{traffic_, ip("10.1.1.1"), NSRP_ADDR_VSI, kVid},
                                      {traffic_, ip("2001:db8::1"), NSRP_ADDR_VSI, kVid},
                                      {traffic_, ip("10.1.1.21"), NSRP_ADDR_DEVICE, Vid{}},
                                      {traffic_, ip("2001:db8::21"), NSRP_ADDR_DEVICE, Vid{}}};
  if (several) addresses.push_back({traffic_, ip("10.1.1.2"), NSRP_ADDR_VSI, kOtherVid});
  must(datapath_->set_addresses(addresses));
}

void TestBox::add_second_vsd() {
  configure({VsiEntry{traffic_, kVid, VsdId{0}, mac(kVmac)}, VsiEntry{traffic_, kOtherVid, VsdId{1}, mac(kOtherVmac)}});
}

void TestBox::make_active_active() {
  must(datapath_->set_interfaces(
      std::vector{InterfaceEntry{traffic_, NSRP_IF_TRAFFIC | NSRP_IF_MULTI_VSD, Vid{}, mac(kOwnMac)},
                  InterfaceEntry{other_, NSRP_IF_TRAFFIC | NSRP_IF_MULTI_VSD, Vid{}, mac(kOwnMac)},
                  InterfaceEntry{ha_, NSRP_IF_HA, Vid{}, mac(kHaMac)}}));
  must(datapath_->set_vsis(std::vector{VsiEntry{traffic_, kVid, VsdId{0}, mac(kVmac)},
                                       VsiEntry{traffic_, kOtherVid, VsdId{1}, mac(kOtherVmac)},
                                       VsiEntry{other_, kFarVid, VsdId{0}, mac(kFarVmac)},
                                       VsiEntry{other_, kFarOtherVid, VsdId{1}, mac(kFarOtherVmac)}}));
  must(datapath_->set_addresses(std::vector<AddressEntry>{{traffic_, ip("10.1.1.1"), NSRP_ADDR_VSI, kVid},
                                                          {traffic_, ip("10.1.1.2"), NSRP_ADDR_VSI, kOtherVid},
                                                          {traffic_, ip("10.1.1.21"), NSRP_ADDR_DEVICE, Vid{}},
                                                          {traffic_, ip("2001:db8::1"), NSRP_ADDR_VSI, kVid},
                                                          {traffic_, ip("2001:db8::2"), NSRP_ADDR_VSI, kOtherVid},
                                                          {traffic_, ip("2001:db8::21"), NSRP_ADDR_DEVICE, Vid{}},
                                                          {other_, ip("10.2.0.1"), NSRP_ADDR_VSI, kFarVid},
                                                          {other_, ip("10.2.0.2"), NSRP_ADDR_VSI, kFarOtherVid},
                                                          {other_, ip("10.2.0.21"), NSRP_ADDR_DEVICE, Vid{}},
                                                          {other_, ip("2001:db8:2::1"), NSRP_ADDR_VSI, kFarVid},
                                                          {other_, ip("2001:db8:2::2"), NSRP_ADDR_VSI, kFarOtherVid}}));
  must(datapath_->set_vsd_routes(std::vector<kernel::VsdRouteEntry>{
      {VsdId{1}, *Prefix::parse("10.4.0.0/16"), other_}, {VsdId{1}, *Prefix::parse("2001:db8:4::/48"), other_}}));
}

void TestBox::allow_fast_path() {
  must(datapath_->set_fast_path({.tcp = true, .udp = true, .ports = {traffic_, other_}}));
}

void TestBox::put_fast_flow(const nsrp_tuple& incoming, const nsrp_fast_flow& flow) {
  if (bpf_map_update_elem(datapath_->fast_flows_fd(), &incoming, &flow, BPF_ANY) != 0)
    throw std::runtime_error("the fast path takes no more");
}

nsrp_fast_flow TestBox::fast_flow(const nsrp_tuple& incoming) const {
  nsrp_fast_flow flow{};
  if (bpf_map_lookup_elem(datapath_->fast_flows_fd(), &incoming, &flow) != 0)
    throw std::runtime_error("the fast path does not know the flow");
  return flow;
}

void TestBox::put_session(const nsrp_tuple& original, const nsrp_tuple& reply, VsdId vsd) {
  nsrp_session session{};
  session.reply = reply;
  session.vsd = vsd.value;
  if (bpf_map_update_elem(datapath_->sessions_fd(), &original, &session, BPF_ANY) != 0 ||
      bpf_map_update_elem(datapath_->reply_index_fd(), &reply, &original, BPF_ANY) != 0)
    throw std::runtime_error("the session table takes no more");
}

nsrp_tuple flow_tuple(uint8_t protocol, std::string_view source, uint16_t source_port, std::string_view destination,
                      uint16_t destination_port) {
  const IpAddress from = ip(source), to = ip(destination);
  nsrp_tuple tuple{};
  std::copy(from.bytes.begin(), from.bytes.end(), std::begin(tuple.saddr));
  std::copy(to.bytes.begin(), to.bytes.end(), std::begin(tuple.daddr));
  tuple.sport = htons(source_port);
  tuple.dport = htons(destination_port);
  tuple.proto = protocol;
  tuple.family = from.family == Family::kIpv4 ? NSRP_IPV4 : NSRP_IPV6;
  return tuple;
}

void TestBox::become_master(VsdId vsd) {
  datapath_->grant_lease(vsd, now() + seconds{60}, Duration{}, 1);
}
void TestBox::resign(VsdId vsd) {
  datapath_->revoke_lease(vsd);
}

void TestBox::set_data_link(bool present, bool forwarding) {
  std::optional<DataLink> link;
  if (present) link = DataLink{ha_, mac(kHaMac), mac(kPeerHaMac)};
  must(datapath_->set_data_link(link, ClusterId{1}, forwarding));
}

Outcome TestBox::xdp(const std::string& program, IfIndex ifindex, const Bytes& frame) {
  xdp_md context{};
  context.data_end = static_cast<uint32_t>(frame.size());
  context.ingress_ifindex = ifindex.value;
  xdp_md context_out{};
  Bytes out(frame.size() + 256);
  bpf_test_run_opts opts{};
  opts.sz = sizeof(opts);
  opts.data_in = frame.data();
  opts.data_size_in = static_cast<uint32_t>(frame.size());
  opts.data_out = out.data();
  opts.data_size_out = static_cast<uint32_t>(out.size());
  opts.ctx_in = &context;
  opts.ctx_size_in = sizeof(context);
  opts.ctx_out = &context_out;
  opts.ctx_size_out = sizeof(context_out);
  if (bpf_prog_test_run_opts(datapath_->program_fd(program), &opts) != 0)
    throw std::runtime_error("BPF_PROG_TEST_RUN of " + program + " failed");
  out.resize(opts.data_size_out);
  return Outcome{.verdict = static_cast<int>(opts.retval),
                 .frame = slice(out, context_out.data, out.size() - context_out.data),
                 .meta = slice(out, 0, context_out.data)};
}

Outcome TestBox::tc(const std::string& program, const Bytes& frame, uint32_t mark, IfIndex came_in) {
  __sk_buff context{};
  context.ifindex = traffic_.value;
  context.ingress_ifindex = came_in.value;
  context.mark = mark;
  __sk_buff context_out{};
  Bytes out(frame.size() + 256);
  bpf_test_run_opts opts{};
  opts.sz = sizeof(opts);
  opts.data_in = frame.data();
  opts.data_size_in = static_cast<uint32_t>(frame.size());
  opts.data_out = out.data();
  opts.data_size_out = static_cast<uint32_t>(out.size());
  opts.ctx_in = &context;
  opts.ctx_size_in = sizeof(context);
  opts.ctx_out = &context_out;
  opts.ctx_size_out = sizeof(context_out);
  if (bpf_prog_test_run_opts(datapath_->program_fd(program), &opts) != 0)
    throw std::runtime_error("BPF_PROG_TEST_RUN of " + program + " failed");
  out.resize(opts.data_size_out);
  return Outcome{
      .verdict = static_cast<int>(opts.retval), .frame = std::move(out), .meta = {}, .mark = context_out.mark};
}

Outcome TestBox::tc_in(const Bytes& frame) {
  return tc("nsrp_tc_in", frame, 0, traffic_);
}

Outcome TestBox::tc_out(const Bytes& frame, const Egress& how) {
  const IfIndex came_in = how.came_in.value != 0 ? how.came_in : other_;
  return tc("nsrp_tc_out", frame, how.mark, how.forwarded ? came_in : IfIndex{});
}

Counted TestBox::counted() {
  const kernel::Counters current = must(datapath_->counters());
  Counted gained;
  for (size_t i = 0; i < current.size(); ++i) {
    if (current.at(i) != last_.at(i))
      gained[std::string(kernel::counter_name(static_cast<nsrp_counter>(i)))] = current.at(i) - last_.at(i);
  }
  last_ = current;
  return gained;
}

}  // namespace nsrp::test
