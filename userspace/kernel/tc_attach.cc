// SPDX-License-Identifier: Apache-2.0
#include "kernel/tc_attach.h"

#include <bpf/libbpf.h>
#include <linux/pkt_sched.h>
#include <netlink/cache.h>
#include <netlink/netlink.h>
#include <netlink/route/classifier.h>

#include <cerrno>
#include <memory>

#include "kernel/libbpf_log.h"
#include "kernel/program_identity.h"

namespace nsrp::kernel {
namespace {

constexpr uint32_t kPlace = 1;  // handle and priority: before filters of others

bpf_tc_hook hook_of(IfIndex ifindex, bpf_tc_attach_point point) {
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = static_cast<int>(ifindex.value);
  hook.attach_point = point;
  return hook;
}

bpf_tc_hook hook_of(IfIndex ifindex, TcSide side) {
  return hook_of(ifindex, side == TcSide::kIngress ? BPF_TC_INGRESS : BPF_TC_EGRESS);
}

bpf_tc_opts our_place() {
  bpf_tc_opts opts{};
  opts.sz = sizeof(opts);
  opts.handle = kPlace;
  opts.priority = kPlace;
  return opts;
}

// The program in our place, 0 when the place is free.
uint32_t program_in_place(IfIndex ifindex, TcSide side) {
  LibbpfLog quiet;
  const bpf_tc_hook hook = hook_of(ifindex, side);
  bpf_tc_opts opts = our_place();
  return bpf_tc_query(&hook, &opts) == 0 ? opts.prog_id : 0;
}

tl::unexpected<Error> cannot_attach(IfIndex ifindex, TcSide side, const std::string& why) {
  return fail("cannot attach the tc " + std::string(side == TcSide::kIngress ? "ingress" : "egress") + " program to " +
              interface_label(ifindex.value) + ": " + why);
}

int filters_on(nl_sock* socket, IfIndex ifindex, uint32_t side) {
  nl_cache* filters = nullptr;
  if (rtnl_cls_alloc_cache(socket, static_cast<int>(ifindex.value), TC_H_MAKE(TC_H_CLSACT, side), &filters) < 0)
    return -1;
  const int count = nl_cache_nitems(filters);
  nl_cache_free(filters);
  return count;
}

bool clsact_is_unused(IfIndex ifindex) {
  const std::unique_ptr<nl_sock, decltype(&nl_socket_free)> socket(nl_socket_alloc(), nl_socket_free);
  if (!socket || nl_connect(socket.get(), NETLINK_ROUTE) < 0) return false;
  return filters_on(socket.get(), ifindex, TC_H_MIN_INGRESS) == 0 &&
         filters_on(socket.get(), ifindex, TC_H_MIN_EGRESS) == 0;
}

Status detach_side(IfIndex ifindex, TcSide side) {
  LibbpfLog quiet;
  const bpf_tc_hook hook = hook_of(ifindex, side);
  bpf_tc_opts opts = our_place();
  if (const int err = bpf_tc_detach(&hook, &opts); err != 0 && err != -ENOENT)
    return fail("cannot detach a tc program from " + interface_label(ifindex.value) + ": " + errno_text(err));
  return {};
}

}  // namespace

Status attach_tc(IfIndex ifindex, TcSide side, int program_fd) {
  if (const uint32_t there = program_in_place(ifindex, side); there != 0 && !is_our_program(there))
    return cannot_attach(ifindex, side, "another program (" + program_name(there) + ") is the first filter there");
  LibbpfLog quiet;
  bpf_tc_hook both = hook_of(ifindex, static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
  if (const int err = bpf_tc_hook_create(&both); err != 0 && err != -EEXIST)
    return cannot_attach(ifindex, side, "no clsact qdisc: " + errno_text(err));
  const bpf_tc_hook hook = hook_of(ifindex, side);
  bpf_tc_opts opts = our_place();
  opts.prog_fd = program_fd;
  opts.flags = BPF_TC_F_REPLACE;
  if (const int err = bpf_tc_attach(&hook, &opts); err != 0) return cannot_attach(ifindex, side, errno_text(err));
  return {};
}

bool has_own_tc(IfIndex ifindex, TcSide side) {
  return is_our_program(program_in_place(ifindex, side));
}

Status detach_tc(IfIndex ifindex) {
  bool detached = false;
  for (const TcSide side : {TcSide::kIngress, TcSide::kEgress}) {
    if (!has_own_tc(ifindex, side)) continue;
    if (Status done = detach_side(ifindex, side); !done) return done;
    detached = true;
  }
  if (!detached || !clsact_is_unused(ifindex)) return {};
  LibbpfLog quiet;
  bpf_tc_hook both = hook_of(ifindex, static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
  (void)bpf_tc_hook_destroy(&both);  // somebody may just have put a filter there
  return {};
}

}  // namespace nsrp::kernel
