// SPDX-License-Identifier: Apache-2.0
#include "kernel/xdp_attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include <cerrno>

#include "kernel/libbpf_log.h"
#include "kernel/program_identity.h"
#include "kernel/unique_fd.h"

namespace nsrp::kernel {
namespace {

struct Attached {
  XdpMode mode = XdpMode::kNone;
  uint32_t program_id = 0;
};

Result<Attached> query(IfIndex ifindex) {
  LibbpfLog quiet;
  bpf_xdp_query_opts opts{};
  opts.sz = sizeof(opts);
  if (const int err = bpf_xdp_query(static_cast<int>(ifindex.value), 0, &opts); err != 0)
    return fail("cannot ask " + interface_label(ifindex.value) + " for its XDP program: " + errno_text(err));
  if (opts.skb_prog_id != 0) return Attached{XdpMode::kGeneric, opts.skb_prog_id};
  if (opts.drv_prog_id != 0) return Attached{XdpMode::kNative, opts.drv_prog_id};
  if (opts.hw_prog_id != 0) return Attached{XdpMode::kNative, opts.hw_prog_id};
  return Attached{};
}

uint32_t mode_flag(XdpMode mode) {
  return mode == XdpMode::kGeneric ? uint32_t{XDP_FLAGS_SKB_MODE} : uint32_t{XDP_FLAGS_DRV_MODE};
}

// Without an old program the kernel must find none; with one, it must find exactly that one.
int attach_in_mode(IfIndex ifindex, int program_fd, XdpMode mode, int old_fd) {
  LibbpfLog quiet;
  bpf_xdp_attach_opts opts{};
  opts.sz = sizeof(opts);
  opts.old_prog_fd = old_fd >= 0 ? old_fd : 0;
  const uint32_t condition = old_fd >= 0 ? uint32_t{XDP_FLAGS_REPLACE} : uint32_t{XDP_FLAGS_UPDATE_IF_NOEXIST};
  return bpf_xdp_attach(static_cast<int>(ifindex.value), program_fd, mode_flag(mode) | condition, &opts);
}

tl::unexpected<Error> cannot_attach(IfIndex ifindex, int err) {
  return fail("cannot attach the XDP program to " + interface_label(ifindex.value) + ": " + errno_text(err));
}

Result<XdpMode> replace(IfIndex ifindex, int program_fd, const Attached& current) {
  const UniqueFd old(bpf_prog_get_fd_by_id(current.program_id));
  if (!old.valid()) return cannot_attach(ifindex, errno);
  if (const int err = attach_in_mode(ifindex, program_fd, current.mode, old.get()); err != 0)
    return cannot_attach(ifindex, err);
  return current.mode;
}

}  // namespace

std::string_view to_string(XdpMode mode) {
  switch (mode) {
    case XdpMode::kNone:
      return "none";
    case XdpMode::kNative:
      return "native";
    case XdpMode::kGeneric:
      return "generic";
  }
  return "none";
}

Result<XdpMode> attach_xdp(IfIndex ifindex, int program_fd) {
  const Result<Attached> current = query(ifindex);
  if (!current) return fail(current.error());
  if (current->mode != XdpMode::kNone) {
    if (!is_our_program(current->program_id))
      return fail(interface_label(ifindex.value) + " carries another XDP program (" +
                  program_name(current->program_id) + ", id " + std::to_string(current->program_id) +
                  "): detach it first");
    return replace(ifindex, program_fd, *current);
  }
  if (attach_in_mode(ifindex, program_fd, XdpMode::kNative, -1) == 0) return XdpMode::kNative;
  // The driver has no XDP, or not with this MTU, number of queues or offload: the generic hook works everywhere.
  if (const int err = attach_in_mode(ifindex, program_fd, XdpMode::kGeneric, -1); err != 0)
    return cannot_attach(ifindex, err);
  return XdpMode::kGeneric;
}

XdpMode own_xdp_mode(IfIndex ifindex) {
  const Result<Attached> current = query(ifindex);
  return current && is_our_program(current->program_id) ? current->mode : XdpMode::kNone;
}

Status detach_xdp(IfIndex ifindex) {
  const Result<Attached> current = query(ifindex);
  if (!current) return fail(current.error());
  if (!is_our_program(current->program_id)) return {};
  LibbpfLog quiet;
  if (const int err = bpf_xdp_detach(static_cast<int>(ifindex.value), mode_flag(current->mode), nullptr); err != 0)
    return fail("cannot detach the XDP program from " + interface_label(ifindex.value) + ": " + errno_text(err));
  return {};
}

}  // namespace nsrp::kernel
