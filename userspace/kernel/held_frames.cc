// SPDX-License-Identifier: Apache-2.0
#include "kernel/held_frames.h"

#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernel/libbpf_log.h"
#include "kernel/mapped_array.h"

namespace nsrp::kernel {
namespace {

// Of each CPU. They are taken as they come: this is for the moments in which the reader does not run.
constexpr size_t kPages = 128;

struct PerfBufferFree {
  void operator()(perf_buffer* buffer) const { perf_buffer__free(buffer); }
};

void on_sample(void* context, int, void* data, __u32 size) {
  nsrp_held_packet about;
  if (size < sizeof about) return;
  std::memcpy(&about, data, sizeof about);
  const auto* frame = static_cast<const uint8_t*>(data) + sizeof about;
  if (about.length > size - sizeof about) return;
  static_cast<std::vector<rto::HeldPacket>*>(context)->push_back({about, {frame, frame + about.length}});
}

}  // namespace

struct HeldFrames::Impl {
  Impl(MappedArray<nsrp_defer> d, MappedArray<nsrp_u64> g) : defers(std::move(d)), gates(std::move(g)) {}

  MappedArray<nsrp_defer> defers;
  MappedArray<nsrp_u64> gates;
  std::vector<rto::HeldPacket> taken;
  std::unique_ptr<perf_buffer, PerfBufferFree> buffer;
};

HeldFrames::HeldFrames() = default;
HeldFrames::~HeldFrames() {
  if (impl_) hold_nothing();
}

Result<std::unique_ptr<HeldFrames>> HeldFrames::open(const Datapath& datapath) {
  auto defers = MappedArray<nsrp_defer>::map(datapath.defers_fd(), NSRP_MAX_VSDS, "the times of held packets");
  if (!defers) return fail(defers.error());
  auto gates = MappedArray<nsrp_u64>::map(datapath.held_gates_fd(), NSRP_HELD_GATES, "the gates of held packets");
  if (!gates) return fail(gates.error());
  // What was held for an object before this one is lost.
  for (size_t gate = 0; gate < gates->size(); ++gate) store((*gates)[gate], 0);
  std::unique_ptr<HeldFrames> self(new HeldFrames);
  self->impl_ = std::make_unique<Impl>(std::move(*defers), std::move(*gates));
  Impl& impl = *self->impl_;
  LibbpfLog log;
  impl.buffer.reset(perf_buffer__new(datapath.held_packets_fd(), kPages, &on_sample, nullptr, &impl.taken, nullptr));
  if (!impl.buffer) return fail("the kernel does not hand out packets to be held: " + log.reason(-errno));
  return self;
}

int HeldFrames::fd() const {
  return perf_buffer__epoll_fd(impl_->buffer.get());
}

// Each CPU has a buffer of its own, and the two directions of a session may come from two.
std::vector<rto::HeldPacket> HeldFrames::take() {
  (void)perf_buffer__consume(impl_->buffer.get());
  std::vector<rto::HeldPacket> taken = std::exchange(impl_->taken, {});
  std::ranges::stable_sort(taken, {}, [](const rto::HeldPacket& packet) { return packet.about.held_ns; });
  return taken;
}

void HeldFrames::let_go(const nsrp_held_packet& packet) noexcept {
  if (packet.gate < NSRP_HELD_GATES) std::atomic_ref<nsrp_u64>(impl_->gates[packet.gate]).fetch_sub(1);
}

void HeldFrames::hold_nothing() noexcept {
  for (uint8_t vsd = 0; vsd < NSRP_MAX_VSDS; ++vsd) hold(VsdId{vsd}, {}, {});
}

void HeldFrames::hold(VsdId vsd, Instant until, Instant behind_until) noexcept {
  if (vsd.value >= NSRP_MAX_VSDS) return;
  nsrp_defer& defer = impl_->defers[vsd.value];
  store(defer.behind_until_ns, to_ns(behind_until));
  store(defer.until_ns, to_ns(until));
}

}  // namespace nsrp::kernel
