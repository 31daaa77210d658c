// SPDX-License-Identifier: Apache-2.0
#include "daemon/defer_worker.h"

#include <pthread.h>
#include <sys/resource.h>

#include <mutex>
#include <thread>
#include <utility>

#include "io/clock.h"
#include "io/frame_sender.h"
#include "io/loop.h"
#include "kernel/held_frames.h"

namespace nsrp::daemon {
namespace {

// A thread that does not run for as long does not count: packets pass it by. Of one that is dead the kernel knows at
// once.
constexpr milliseconds kRenewal{50}, kBelieved{500};
// A program that has just seen that it is to hold a packet has done so by then.
constexpr milliseconds kInProgress{1};
// As the RTO thread: above other programs, below the control thread.
constexpr int kNiceness = -10;

}  // namespace

struct DeferWorker::Impl {
  const kernel::Datapath* datapath = nullptr;
  DeferCallbacks callbacks;
  std::unique_ptr<io::Loop> loop;
  rto::HeldPackets held;
  DeferSettings settings;
  bool peer_listens = false;
  // While any VSD defers.
  std::unique_ptr<kernel::HeldFrames> frames;
  std::unique_ptr<io::FrameSender> sender;
  io::Watch frames_watch;
  io::Loop::TimerId renewal = 0, deadline = 0;
  std::map<VsdId, uint64_t> unsent;

  mutable std::mutex view_mutex;
  DeferView view;
  std::thread thread;

  void apply(DeferSettings wanted);
  Status begin();
  void end();
  void renew();
  void on_frames();
  void go_on();
  void send(const rto::HeldPacket& packet);
};

DeferWorker::DeferWorker() : impl_(std::make_unique<Impl>()) {}

Result<std::unique_ptr<DeferWorker>> DeferWorker::start(const kernel::Datapath& datapath, DeferCallbacks callbacks) {
  std::unique_ptr<DeferWorker> worker(new DeferWorker);
  Impl& impl = *worker->impl_;
  impl.datapath = &datapath;
  impl.callbacks = std::move(callbacks);
  Result<std::unique_ptr<io::Loop>> loop = io::Loop::create();
  if (!loop) return fail(loop.error());
  impl.loop = std::move(*loop);
  impl.thread = std::thread([&impl] {
    (void)setpriority(PRIO_PROCESS, 0, kNiceness);  // of this thread; without the right to it, it works as well
    impl.loop->run();
    impl.end();
  });
  pthread_setname_np(impl.thread.native_handle(), "nsrp-defer");
  return worker;
}

DeferWorker::~DeferWorker() {
  stop();
}

void DeferWorker::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->loop->stop();
  impl_->thread.join();
}

void DeferWorker::set_settings(DeferSettings settings) {
  impl_->loop->post(
      [impl = impl_.get(), settings = std::move(settings)]() mutable { impl->apply(std::move(settings)); });
}

void DeferWorker::set_peer_listens(bool listens) {
  impl_->loop->post([impl = impl_.get(), listens] {
    impl->peer_listens = listens;
    impl->renew();
  });
}

void DeferWorker::acknowledge(uint64_t id, bool by_peer) {
  impl_->loop->post([impl = impl_.get(), id, by_peer] {
    impl->held.acknowledge(id, by_peer);
    impl->go_on();
  });
}

DeferView DeferWorker::view() const {
  const std::lock_guard lock(impl_->view_mutex);
  return impl_->view;
}

// What is held of a VSD that has just been handed over still leaves: the data path lets it out for a while (drain).
void DeferWorker::Impl::apply(DeferSettings wanted) {
  if (wanted == settings) return;
  held.give_up(settings.mastered - wanted.mastered);
  settings = std::move(wanted);
  held.set_bounds(settings.bounds);
  if (settings.bounds.empty()) return end();
  if (!frames) {
    const Status begun = begin();
    if (!begun) return callbacks.on_event("defer=trouble cause=\"" + begun.error().message + "\"");
  }
  renew();
}

Status DeferWorker::Impl::begin() {
  Result<io::FrameSender> socket = io::FrameSender::open();
  if (!socket) return fail(socket.error());
  auto opened = kernel::HeldFrames::open(*datapath);
  if (!opened) return fail(opened.error());
  sender = std::make_unique<io::FrameSender>(std::move(*socket));
  frames = std::move(*opened);
  frames_watch = loop->watch(frames->fd(), io::Loop::kReadable, [this] { on_frames(); });
  return {};
}

// In this order: nothing more is held, then what is held is sent, then nobody listens any more.
void DeferWorker::Impl::end() {
  if (!frames) return;
  frames->hold_nothing();
  std::this_thread::sleep_for(kInProgress);
  held.set_bounds({});
  on_frames();
  if (renewal != 0) loop->cancel(std::exchange(renewal, 0));
  frames_watch = {};
  frames.reset();
  sender.reset();
}

void DeferWorker::Impl::renew() {
  if (renewal != 0) loop->cancel(std::exchange(renewal, 0));
  if (!frames) return;
  const Instant believed = io::now() + kBelieved;
  for (uint8_t id = 0; id < NSRP_MAX_VSDS; ++id) {
    const VsdId vsd{id};
    const bool defers = settings.bounds.contains(vsd);
    frames->hold(vsd, defers && peer_listens && settings.mastered.contains(vsd) ? believed : Instant{},
                 defers ? believed : Instant{});
  }
  on_frames();
  renewal = loop->call_at(io::now() + kRenewal, [this] {
    renewal = 0;
    renew();
  });
}

void DeferWorker::Impl::on_frames() {
  for (rto::HeldPacket& packet : frames->take()) held.hold(std::move(packet));
  go_on();
}

void DeferWorker::Impl::go_on() {
  if (!frames) return;
  if (const std::optional<uint64_t> id = held.request()) callbacks.ask(*id);
  const std::vector<rto::ReleasedPacket> released = held.release(io::now());
  for (const rto::ReleasedPacket& each : released) send(each.packet);
  if (deadline != 0) loop->cancel(std::exchange(deadline, 0));
  if (const std::optional<Instant> next = held.next_deadline()) {
    deadline = loop->call_at(*next, [this] {
      deadline = 0;
      on_frames();
    });
  }
  if (released.empty()) return;
  const std::lock_guard lock(view_mutex);
  view = {held.released(), unsent};
}

// The gate opens behind the packet, not before.
void DeferWorker::Impl::send(const rto::HeldPacket& packet) {
  const nsrp_held_packet& about = packet.about;
  std::optional<io::OpenChecksum> checksum;
  if (about.checksum_start != 0) checksum = io::OpenChecksum{about.checksum_start, about.checksum_offset};
  if (!sender->send(IfIndex{about.ifindex}, packet.frame, about.mark | NSRP_MARK_HELD, checksum))
    ++unsent[VsdId{about.vsd}];
  frames->let_go(about);
}

}  // namespace nsrp::daemon
