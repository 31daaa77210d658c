// SPDX-License-Identifier: Apache-2.0
#include "programs.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "kernel/datapath.h"
#include "namespaces.h"

namespace nsrp::bench {
namespace {

using kernel::Datapath;
using kernel::InterfaceEntry;
using kernel::VsiEntry;

constexpr int kRepeat = 1'000'000;
constexpr uint32_t kImaginary = 100'000;  // ifindexes of interfaces that only the tables know
constexpr MacAddress kOwnMac{{0x00, 0x0c, 0, 0, 1, 1}}, kHostMac{{0x00, 0x0c, 0, 0, 0, 1}};

void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

MacAddress virtual_mac(size_t vsd, size_t interface) {
  return MacAddress{{0x02, 0x4e, static_cast<uint8_t>(interface >> 8), 1, static_cast<uint8_t>(vsd),
                     static_cast<uint8_t>(interface)}};
}

// A UDP packet of a session of VSD 0, from a host to the virtual MAC, or as the stack sends it on.
std::vector<uint8_t> packet(const MacAddress& source, const MacAddress& destination) {
  std::vector<uint8_t> frame(60);
  std::ranges::copy(destination.bytes, frame.begin());
  std::ranges::copy(source.bytes, frame.begin() + 6);
  const std::vector<uint8_t> rest{0x08, 0, 0x45, 0,  0, 46, 0, 0,    0, 0, 64, IPPROTO_UDP, 0,  0, 10,
                                  1,    1, 99,   10, 2, 0,  9, 0x10, 0, 0, 53, 0,           26, 0, 0};
  std::ranges::copy(rest, frame.begin() + 12);
  return frame;
}

struct Box {
  test::Namespace where;
  std::unique_ptr<Datapath> path;
  IfIndex near, far;

  Box(size_t vsds, size_t vsis) {
    where.run(
        "ip link add eth1 type veth peer name x1 && ip link add eth2 type veth peer name x2 && "
        "ip link set eth1 up && ip link set x1 up && ip link set eth2 up && ip link set x2 up && "
        "sysctl -qw net.ipv4.ip_forward=1 && ip addr add 10.1.1.21/24 dev eth1 && ip addr add 10.2.0.21/16 dev eth2");
    near = where.ifindex("eth1");
    far = where.ifindex("eth2");
    where.in([&] {
      auto opened =
          Datapath::open({.bpf_dir = "/sys/fs/bpf/nsrp-bench-" + std::to_string(getpid()), .max_sessions = 4096});
      if (!opened) throw std::runtime_error(opened.error().message);
      path = std::move(*opened);
      for (const IfIndex ifindex : {near, far})
        if (auto attached = path->attach_traffic(ifindex); !attached)
          throw std::runtime_error(attached.error().message);
      configure(vsds, vsis);
      add_session();
    });
  }
  ~Box() {
    where.in([&] { (void)path->remove(); });
  }

  IfIndex interface(size_t number) const {
    if (number == 0) return near;
    return number == 1 ? far : IfIndex{kImaginary + static_cast<uint32_t>(number)};
  }

  // Each interface has a VSI of every VSD, as far as they reach.
  void configure(size_t vsds, size_t vsis) const {
    std::vector<VsiEntry> entries;
    std::vector<InterfaceEntry> interfaces;
    for (size_t i = 0; i < vsis; ++i) {
      const size_t number = i / vsds, vsd = i % vsds;
      const Vid vid{static_cast<uint16_t>(i + 1)};
      entries.push_back({interface(number), vid, VsdId{static_cast<uint8_t>(vsd)}, virtual_mac(vsd, number)});
      const uint32_t flags = NSRP_IF_TRAFFIC | (vsds > 1 ? uint32_t{NSRP_IF_MULTI_VSD} : 0);
      if (vsd == 0) interfaces.push_back({interface(number), flags, vsds > 1 ? Vid{} : vid, kOwnMac});
    }
    must(path->set_interfaces(interfaces));
    must(path->set_vsis(entries));
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    for (size_t vsd = 0; vsd < vsds; ++vsd)
      path->grant_lease(VsdId{static_cast<uint8_t>(vsd)}, Instant{seconds{time.tv_sec + 3600}}, Duration{}, 1);
  }

  void add_session() const {
    nsrp_tuple key{};
    key.family = NSRP_IPV4;
    key.proto = IPPROTO_UDP;
    const in_addr_t from = inet_addr("10.1.1.99"), to = inet_addr("10.2.0.9");
    std::memcpy(key.saddr, &from, 4);
    std::memcpy(key.daddr, &to, 4);
    key.sport = htons(4096);
    key.dport = htons(53);
    nsrp_session session{};
    session.reply = key;
    std::swap(session.reply.saddr, session.reply.daddr);
    std::swap(session.reply.sport, session.reply.dport);
    session.flags = NSRP_SESSION_SETTLED;
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    session.exported_ns = static_cast<nsrp_u64>(time.tv_sec) * 1'000'000'000;
    (void)bpf_map_update_elem(path->sessions_fd(), &key, &session, BPF_ANY);
    (void)bpf_map_update_elem(path->reply_index_fd(), &session.reply, &key, BPF_ANY);
  }

  template <class Context>
  double run(const char* program, const std::vector<uint8_t>& frame, Context context) const {
    std::vector<uint8_t> out(frame.size() + 256);
    bpf_test_run_opts opts{};
    opts.sz = sizeof(opts);
    opts.data_in = frame.data();
    opts.data_size_in = static_cast<uint32_t>(frame.size());
    opts.data_out = out.data();
    opts.data_size_out = static_cast<uint32_t>(out.size());
    opts.ctx_in = &context;
    opts.ctx_size_in = sizeof(context);
    opts.repeat = kRepeat;
    const int done = where.in([&] { return bpf_prog_test_run_opts(path->program_fd(program), &opts); });
    if (done != 0) throw std::runtime_error(std::string("BPF_PROG_TEST_RUN of ") + program + " failed");
    return opts.duration;
  }

  double xdp(const std::vector<uint8_t>& frame) const {
    xdp_md context{};
    context.data_end = static_cast<uint32_t>(frame.size());
    context.ingress_ifindex = near.value;
    return run("nsrp_traffic_in", frame, context);
  }
  double tc(const char* program, const std::vector<uint8_t>& frame, IfIndex on, IfIndex came_in, uint32_t mark) const {
    __sk_buff context{};
    context.ifindex = on.value;
    context.ingress_ifindex = came_in.value;
    context.mark = mark;
    return run(program, frame, context);
  }
};

}  // namespace

std::vector<ProgramCost> program_costs(const std::vector<size_t>& vsd_counts, const std::vector<size_t>& vsi_counts) {
  std::vector<ProgramCost> costs;
  for (const size_t vsds : vsd_counts) {
    for (const size_t vsis : vsi_counts) {
      const Box box(vsds, std::max(vsis, vsds * 2));
      const auto in = packet(kHostMac, virtual_mac(0, 0)), out = packet(kOwnMac, kHostMac);
      const auto row = [&](const char* program, double ns) { costs.push_back({vsds, vsis, program, ns}); };
      row("nsrp_traffic_in", box.xdp(in));
      row("nsrp_tc_in", box.tc("nsrp_tc_in", in, box.near, box.near, 0));
      row("nsrp_tc_out", box.tc("nsrp_tc_out", out, box.far, box.near, 1u << NSRP_MARK_SHIFT));
    }
  }
  return costs;
}

}  // namespace nsrp::bench
