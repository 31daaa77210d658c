// SPDX-License-Identifier: Apache-2.0
#include "lab.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "flows.h"
#include "nsrp_bench.skel.h"

namespace nsrp::bench {
namespace {

using kernel::AddressEntry;
using kernel::Datapath;
using kernel::InterfaceEntry;
using kernel::VsiEntry;

constexpr const char* kHostsMac = "00:0c:00:00:00:01";  // of a manufacturer, as hosts have them
constexpr const char* kServerMac = "00:0c:00:00:00:02";
constexpr const char* kTrustMac = "00:0c:00:00:01:01";  // the gateway's own
constexpr const char* kUntrustMac = "00:0c:00:00:01:02";
constexpr const char* kTrustVmac = "02:4e:53:01:00:01";
constexpr const char* kUntrustVmac = "02:4e:53:01:00:02";
constexpr uint32_t kFirstHost = 0x0a100001, kFirstTranslated = 0x0a200001;  // 10.16.0.1, 10.32.0.1
constexpr size_t kSmall = 60;

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}
void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}
void check(bool ok, const std::string& what) {
  if (!ok) throw std::runtime_error(what);
}

MacAddress mac(std::string_view text) {
  const auto parsed = MacAddress::parse(text);
  check(parsed.has_value(), "not a MAC");
  return *parsed;
}
IpAddress ip(std::string_view text) {
  const auto parsed = IpAddress::parse(text);
  check(parsed.has_value(), "not an address");
  return *parsed;
}

void put(std::string_view text, __u8 (&to)[6]) {
  std::ranges::copy(mac(text).bytes, to);
}

Instant clock_now(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return Instant{seconds{time.tv_sec} + Duration{time.tv_nsec}};
}

MacAddress mac_of(const test::Namespace& where, const std::string& name) {
  const std::string command = "ip -br link show " + name + " | awk '{print $3}'";
  return mac(where.in([&] { return test::output_of(command); }).substr(0, 17));
}

void set_xdp(const test::Namespace& where, const std::string& name, int program) {
  const auto ifindex = static_cast<int>(where.ifindex(name).value);
  where.in([&] {
    check(bpf_xdp_attach(ifindex, program, XDP_FLAGS_DRV_MODE, nullptr) == 0, "cannot attach XDP to " + name);
  });
}

void set_filter(int ifindex, bpf_tc_attach_point where, int program) {
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = ifindex;
  hook.attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);
  (void)bpf_tc_hook_create(&hook);  // it may be there already
  hook.attach_point = where;
  bpf_tc_opts opts{};
  opts.sz = sizeof(opts);
  opts.prog_fd = program;
  check(bpf_tc_attach(&hook, &opts) == 0, "cannot attach a filter");
}

std::string bpf_dir(const char* which) {
  static int number = 0;
  return "/sys/fs/bpf/nsrp-bench-" + std::to_string(getpid()) + "-" + which + std::to_string(number++);
}

}  // namespace

struct BenchLab::Skeleton {
  nsrp_bench* bench = nsrp_bench::open_and_load();
  Skeleton() { check(bench != nullptr, "the kernel refuses the bench's programs"); }
  ~Skeleton() { nsrp_bench::destroy(bench); }
  int fd(const bpf_program* program) const { return bpf_program__fd(program); }
};

BenchLab::BenchLab(uint32_t flows) : programs_(std::make_unique<Skeleton>()), flows_(flows) {
  test::connect(hosts_, "g0", gateway_, "eth1");
  test::connect(gateway_, "eth2", server_, "s0");
  test::connect(hosts_, "g1", front_, "eth1");
  test::connect(front_, "ha2", gateway_, "ha2");
  build_hosts();
  set_xdp(hosts_, "g0", programs_->fd(programs_->bench->progs.bench_sink));
  end_at(Sink::kXdp);
  set_source(false);
}

BenchLab::~BenchLab() {
  if (datapath_) gateway_.in([&] { (void)datapath_->remove(); });
  if (front_datapath_) front_.in([&] { (void)front_datapath_->remove(); });
}

void BenchLab::build_hosts() {
  hosts_.run(std::string("ip link set g0 address ") + kHostsMac);
  server_.run(std::string("ip link set s0 address ") + kServerMac);
  gateway_.run(std::string("ip link set eth1 address ") + kTrustMac + " && ip link set eth2 address " + kUntrustMac);
  gateway_.run(
      "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0 "
      "net.ipv4.conf.eth2.rp_filter=0 && ip addr add 10.1.1.1/24 dev eth1 && ip addr add 20.0.0.1/24 dev eth2");
  gateway_.run(std::string("ip neigh add 10.1.1.99 lladdr ") + kHostsMac +
               " dev eth1 nud permanent && ip route add 10.16.0.0/12 via 10.1.1.99 && ip neigh add 20.0.0.9 lladdr " +
               kServerMac + " dev eth2 nud permanent");
}

// Addresses are translated one to one, so that a million flows find ports.
void BenchLab::load_ruleset() {
  gateway_.run(
      "nft -f - <<'RULES'\ntable ip nat {\nchain post { type nat hook postrouting priority 100;\n"
      "oifname eth2 snat ip prefix to ip saddr map { 10.16.0.0/12 : 10.32.0.0/12 }\n}\n"
      "chain forward { type filter hook forward priority 0; ct state invalid drop; }\n}\nRULES");
}

void BenchLab::end_at(Sink sink) {
  server_.run("tc qdisc del dev s0 clsact 2>/dev/null || true");
  const auto ifindex = static_cast<int>(server_.ifindex("s0").value);
  if (sink == Sink::kXdp) return set_xdp(server_, "s0", programs_->fd(programs_->bench->progs.bench_sink));
  set_xdp(server_, "s0", -1);
  server_.in([&] { set_filter(ifindex, BPF_TC_INGRESS, programs_->fd(programs_->bench->progs.bench_sink_tc)); });
}

void BenchLab::forward_nothing() {
  set_xdp(gateway_, "eth1", programs_->fd(programs_->bench->progs.bench_sink));
}
void BenchLab::forward_plainly() {
  set_xdp(gateway_, "eth1", programs_->fd(programs_->bench->progs.bench_redirect));
}

// Without a program of its own a veth takes what XDP sends only if it does GRO.
void BenchLab::forward_by_stack(Empty empty) {
  gateway_.run("ethtool -K eth1 gro on && ethtool -K eth2 gro on");
  const int xdp = empty == Empty::kNothing ? -1 : programs_->fd(programs_->bench->progs.bench_empty_xdp);
  for (const char* name : {"eth1", "eth2"}) {
    set_xdp(gateway_, name, xdp);
    gateway_.run(std::string("tc qdisc del dev ") + name + " clsact 2>/dev/null || true");
  }
  if (empty != Empty::kXdpAndTc) return;
  const int filter = programs_->fd(programs_->bench->progs.bench_empty_tc);
  for (const char* name : {"eth1", "eth2"}) {
    const auto ifindex = static_cast<int>(gateway_.ifindex(name).value);
    gateway_.in([&] {
      set_filter(ifindex, BPF_TC_INGRESS, filter);
      set_filter(ifindex, BPF_TC_EGRESS, filter);
    });
  }
}

void BenchLab::forward_by_nsrp(size_t vsds, bool fast) {
  if (!datapath_) {
    forward_by_stack(Empty::kNothing);
    gateway_.in([&] {
      datapath_ = must(Datapath::open({.bpf_dir = bpf_dir("gateway"), .max_sessions = std::max(flows_ * 2, 4096u)}));
      for (const char* name : {"eth1", "eth2"}) (void)must(datapath_->attach_traffic(gateway_.ifindex(name)));
      (void)must(datapath_->attach_ha(gateway_.ifindex("ha2")));
    });
    nsrp_ = true;
    set_source(false);
  }
  configure(vsds);
  must(datapath_->pace_permits(flows_));
  const std::vector<IfIndex> ports{gateway_.ifindex("eth1"), gateway_.ifindex("eth2")};
  gateway_.in([&] {
    must(datapath_->set_fast_path({.tcp = fast, .udp = fast, .ports = fast ? ports : std::vector<IfIndex>{}}));
  });
}

void BenchLab::configure(size_t vsds) {
  const IfIndex eth1 = gateway_.ifindex("eth1"), eth2 = gateway_.ifindex("eth2"), ha2 = gateway_.ifindex("ha2");
  const bool several = vsds > 1;
  const uint32_t flags = NSRP_IF_TRAFFIC | (several ? uint32_t{NSRP_IF_MULTI_VSD} : 0);
  must(datapath_->set_interfaces(std::vector<InterfaceEntry>{{eth1, flags, several ? Vid{} : Vid{1}, mac(kTrustMac)},
                                                             {eth2, flags, several ? Vid{} : Vid{2}, mac(kUntrustMac)},
                                                             {ha2, NSRP_IF_HA, Vid{}, mac_of(gateway_, "ha2")}}));
  std::vector<VsiEntry> vsis{{eth1, Vid{1}, VsdId{0}, mac(kTrustVmac)}, {eth2, Vid{2}, VsdId{0}, mac(kUntrustVmac)}};
  if (several) vsis.push_back({eth1, Vid{3}, VsdId{1}, mac("02:4e:53:01:01:01")});
  must(datapath_->set_vsis(vsis));
  must(datapath_->set_addresses(std::vector<AddressEntry>{{eth1, ip("10.1.1.1"), NSRP_ADDR_VSI, Vid{1}},
                                                          {eth2, ip("20.0.0.1"), NSRP_ADDR_VSI, Vid{2}}}));
  datapath_->grant_lease(VsdId{0}, clock_now(CLOCK_MONOTONIC) + seconds{3600}, Duration{}, 1);
}

void BenchLab::through_the_other_gateway() {
  const IfIndex eth1 = front_.ifindex("eth1"), ha2 = front_.ifindex("ha2");
  const MacAddress front_mac = mac_of(front_, "ha2"), gateway_mac = mac_of(gateway_, "ha2");
  front_.in([&] {
    front_datapath_ = must(Datapath::open({.bpf_dir = bpf_dir("front"), .max_sessions = 4096}));
    (void)must(front_datapath_->attach_traffic(eth1));
    (void)must(front_datapath_->attach_ha(ha2));
    must(front_datapath_->set_interfaces(std::vector<InterfaceEntry>{{eth1, NSRP_IF_TRAFFIC, Vid{1}, mac(kTrustMac)},
                                                                     {ha2, NSRP_IF_HA, Vid{}, front_mac}}));
    must(front_datapath_->set_vsis(std::vector<VsiEntry>{{eth1, Vid{1}, VsdId{0}, mac(kTrustVmac)}}));
    must(front_datapath_->set_data_link(kernel::DataLink{ha2, front_mac, gateway_mac}, ClusterId{1}, true));
  });
  gateway_.in([&] {
    must(datapath_->set_data_link(kernel::DataLink{gateway_.ifindex("ha2"), gateway_mac, front_mac}, ClusterId{1},
                                  true));
  });
  through_front_ = true;
  set_source(false);
}

void BenchLab::set_source(bool answers) {
  bench_flows setup{};
  setup.flows = flows_;
  setup.first_host = answers ? kFirstTranslated : kFirstHost;
  setup.server = inet_addr("20.0.0.9");
  setup.answers = answers ? 1 : 0;
  setup.next_ifindex = gateway_.ifindex("eth2").value;
  put(answers ? kServerMac : kHostsMac, setup.source_mac);
  put(answers ? (nsrp_ ? kUntrustVmac : kUntrustMac) : (nsrp_ ? kTrustVmac : kTrustMac), setup.dest_mac);
  put(kServerMac, setup.next_mac);
  const uint32_t zero = 0;
  const nsrp_bench& bench = *programs_->bench;
  check(bpf_map_update_elem(bpf_map__fd(bench.maps.bench_setup), &zero, &setup, BPF_ANY) == 0, "no setup");
  const auto out = answers ? server_.ifindex("s0") : hosts_.ifindex(through_front_ ? "g1" : "g0");
  (answers ? server_ : hosts_).in([&] {
    check(bpf_map_update_elem(bpf_map__fd(bench.maps.bench_out), &zero, &out.value, BPF_ANY) == 0, "no way out");
  });
}

void BenchLab::send(size_t bytes, uint64_t packets) {
  constexpr uint64_t kAtOnce = 8192;
  const std::vector<uint8_t> frame(bytes);
  hosts_.in([&] {
    for (uint64_t left = packets; left > 0; left -= std::min(left, kAtOnce)) {
      bpf_test_run_opts opts{};
      opts.sz = sizeof(opts);
      opts.data_in = frame.data();
      opts.data_size_in = static_cast<uint32_t>(bytes);
      opts.repeat = static_cast<int>(std::min(left, kAtOnce));
      opts.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
      opts.batch_size = 64;
      check(bpf_prog_test_run_opts(programs_->fd(programs_->bench->progs.bench_generate), &opts) == 0, "cannot send");
    }
  });
}

uint64_t BenchLab::count(uint32_t which) const {
  uint64_t value = 0;
  bpf_map_lookup_elem(bpf_map__fd(programs_->bench->maps.bench_counts), &which, &value);
  return value;
}

void BenchLab::establish() {
  send(kSmall, flows_);
  set_source(true);
  send(kSmall, flows_);
  set_source(false);
}

void BenchLab::warm_up(size_t bytes) {
  send(bytes, std::max<uint64_t>(flows_, 1 << 16));
}

// What the softirq does on behalf of this thread is counted as its time.
Cost BenchLab::measure(size_t bytes, double wanted_seconds) {
  const uint64_t made = count(0), arrived = count(1);
  const Instant began = clock_now(CLOCK_THREAD_CPUTIME_ID);
  Instant now = began;
  while (now - began < Duration(static_cast<int64_t>(wanted_seconds * 1e9))) {
    send(bytes, 1 << 16);
    now = clock_now(CLOCK_THREAD_CPUTIME_ID);
  }
  const auto came = static_cast<double>(count(1) - arrived), went = static_cast<double>(count(0) - made);
  return {static_cast<double>((now - began).count()) / std::max(came, 1.0), 1 - came / went};
}

// Only with the kernel's own clock running around every program, which costs time itself: not while measuring.
std::vector<ProgramTime> BenchLab::time_in_programs(size_t bytes) {
  const kernel::UniqueFd stats(bpf_enable_stats(BPF_STATS_RUN_TIME));
  check(stats.get() >= 0, "the kernel keeps no time of programs");
  const nsrp_bench& bench = *programs_->bench;
  std::vector<std::pair<std::string, int>> programs{{"empty XDP", programs_->fd(bench.progs.bench_empty_xdp)},
                                                    {"empty tc", programs_->fd(bench.progs.bench_empty_tc)}};
  if (nsrp_) {
    for (const char* name : {"nsrp_traffic_in", "nsrp_tc_in", "nsrp_tc_out"})
      programs.emplace_back(name, datapath_->program_fd(name));
  }
  const auto nanoseconds = [](int fd) {
    bpf_prog_info info{};
    uint32_t length = sizeof(info);
    check(bpf_obj_get_info_by_fd(fd, &info, &length) == 0, "a program tells nothing of itself");
    return std::pair(info.run_time_ns, info.run_cnt);
  };
  warm_up(bytes);
  std::vector<std::pair<uint64_t, uint64_t>> before;
  for (const auto& program : programs) before.push_back(nanoseconds(program.second));
  send(bytes, std::max<uint64_t>(flows_, 1 << 18));
  std::vector<ProgramTime> times;
  for (size_t i = 0; i < programs.size(); ++i) {
    const auto [time, runs] = before[i];
    const auto [time_after, runs_after] = nanoseconds(programs[i].second);
    if (runs_after > runs)
      times.push_back(
          {programs[i].first, static_cast<double>(time_after - time) / static_cast<double>(runs_after - runs)});
  }
  return times;
}

uint64_t BenchLab::counter(nsrp_counter counter) const {
  return datapath_ ? must(datapath_->counters()).at(counter) : 0;
}

}  // namespace nsrp::bench
