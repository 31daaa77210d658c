// SPDX-License-Identifier: Apache-2.0
#include "kernel/session_support.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ctime>
#include <memory>

#include "kernel/libbpf_log.h"
#include "kernel/unique_fd.h"

namespace nsrp::kernel {
namespace {

using BtfPtr = std::unique_ptr<btf, decltype(&btf__free)>;

bool has_struct(const btf* types, const char* name) {
  return types != nullptr && btf__find_by_name_kind(types, name, BTF_KIND_STRUCT) > 0;
}

bool has_member(const btf* types, const char* struct_name, const char* member) {
  const int id = btf__find_by_name_kind(types, struct_name, BTF_KIND_STRUCT);
  if (id <= 0) return false;
  const btf_type* type = btf__type_by_id(types, static_cast<uint32_t>(id));
  const btf_member* members = btf_members(type);
  for (uint16_t i = 0; i < btf_vlen(type); ++i)
    if (std::string_view(btf__name_by_offset(types, members[i].name_off)) == member) return true;
  return false;
}

// A message to conntrack's netlink subsystem makes the kernel load the module it belongs to.
void ask_for_conntrack() {
  const UniqueFd socket_fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!socket_fd.valid()) return;
  struct {
    nlmsghdr header;
    nfgenmsg body;
  } request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET_STATS;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  (void)::send(socket_fd.get(), &request, sizeof(request), 0);
}

}  // namespace

bool conntrack_is_readable() {
  LibbpfLog quiet;
  const BtfPtr kernel(btf__load_vmlinux_btf(), btf__free);
  if (!kernel || !has_member(kernel.get(), "sk_buff", "_nfct")) return false;
  if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_probe_read_kernel, nullptr) <= 0) return false;
  if (::access("/proc/sys/net/netfilter/nf_conntrack_max", F_OK) != 0) ask_for_conntrack();
  if (has_struct(kernel.get(), "nf_conn")) return true;
  const BtfPtr module(btf__load_module_btf("nf_conntrack", kernel.get()), btf__free);
  return has_struct(module.get(), "nf_conn");
}

uint32_t kernel_hz() {
  // The coarse clocks advance with the timer tick.
  timespec tick{};
  if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) != 0 || tick.tv_nsec <= 0) return 250;
  return static_cast<uint32_t>((1'000'000'000 + tick.tv_nsec / 2) / tick.tv_nsec);
}

}  // namespace nsrp::kernel
