// SPDX-License-Identifier: Apache-2.0
#include "rto/mirror.h"

#include <algorithm>

#include "rto/mirror_impl.h"

namespace nsrp::rto {

std::string_view to_string(MirrorState state) {
  switch (state) {
    case MirrorState::kUndefined:
      return "undefined";
    case MirrorState::kSet:
      return "set";
    case MirrorState::kActive:
      return "active";
  }
  return "undefined";
}

MirrorState Mirror::Impl::state() const {
  if (!enabled()) return MirrorState::kUndefined;
  return connected && !closing && receiving && sender.active() ? MirrorState::kActive : MirrorState::kSet;
}

void Mirror::Impl::reset_connection() {
  connected = closing = receiving = false;
  decoder = {};
  peer.reset();
  control_queue.clear();
  shared = missed = {};
  incoming.reset();
  installing = 0;
  unacknowledged.clear();
}

void Mirror::Impl::control(MirrorActions& out, const Message& message) {
  if (control_queue.size() >= kMaxControlMessages) {
    close(out, "the peer does not read the answers to its messages");
    return;
  }
  append(control_queue.emplace_back(), message);
}

void Mirror::Impl::close(MirrorActions& out, std::string reason) {
  if (!connected || closing) return;
  closing = true;
  out.push_back(CloseChannel{std::move(reason)});
}

void Mirror::Impl::set_in_sync(MirrorActions& out, bool value) {
  if (in_sync == value) return;
  in_sync = value;
  out.push_back(InSync{value, peer ? peer->unit : UnitId{}});
}

void Mirror::Impl::stop_sending(MirrorActions& out) {
  for (const uint64_t id : sender.deactivate()) out.push_back(BarrierDone{id});
}

// The receiver's word for "send me everything": r-ready.
void Mirror::Impl::request_sync(MirrorActions& out) {
  set_in_sync(out, false);
  control(out, ReceiverReady{});
}

Mirror::Mirror(MirrorSettings settings, size_t max_pending) : impl_(std::make_unique<Impl>(settings, max_pending)) {}
Mirror::~Mirror() = default;

MirrorActions Mirror::on_connected(Instant now) {
  MirrorActions out;
  impl_->reset_connection();
  impl_->connected = true;
  impl_->last_heard = now;
  impl_->next_heartbeat = impl_->next_ready = now + impl_->settings.hb_interval;
  const MirrorSettings& own = impl_->settings;
  impl_->control(out, Hello{own.unit, own.cluster, own.boot_epoch, own.sync});
  if (impl_->enabled()) impl_->control(out, ReceiverReady{});
  return out;
}

MirrorActions Mirror::on_disconnected(Instant) {
  MirrorActions out;
  impl_->set_in_sync(out, false);
  impl_->stop_sending(out);
  impl_->reset_connection();
  return out;
}

MirrorActions Mirror::on_bytes(Instant now, std::span<const uint8_t> bytes) {
  MirrorActions out;
  if (!impl_->connected || impl_->closing) return out;
  impl_->decoder.feed(bytes);
  while (!impl_->closing) {
    Result<std::optional<Message>> message = impl_->decoder.next();
    if (!message) {
      impl_->close(out, message.error().message);
    } else if (!*message) {
      break;
    } else {
      impl_->receive(now, out, std::move(**message));
    }
  }
  return out;
}

bool Mirror::wants_write() const {
  return impl_->connected && !impl_->closing && (!impl_->control_queue.empty() || impl_->sender.wants_write());
}

MirrorActions Mirror::on_writable(Instant, size_t bytes) {
  MirrorActions out;
  if (!impl_->connected || impl_->closing) return out;
  Send send;
  auto& queue = impl_->control_queue;
  while (!queue.empty() && send.bytes.size() + queue.front().size() <= bytes) {
    send.bytes.insert(send.bytes.end(), queue.front().begin(), queue.front().end());
    queue.pop_front();
  }
  std::optional<ReadSessions> read;
  if (queue.empty()) read = impl_->sender.write(send.bytes, bytes - send.bytes.size());
  impl_->shared = impl_->shared | impl_->sender.take_synced();
  if (!send.bytes.empty()) out.push_back(std::move(send));
  if (read) out.push_back(*read);
  return out;
}

void Mirror::on_installed(uint64_t failed) {
  impl_->failed += failed;
  if (impl_->installing > 0) --impl_->installing;
  if (impl_->installing > 0) return;
  for (const uint64_t id : std::exchange(impl_->unacknowledged, {})) {
    append(impl_->control_queue.emplace_back(), BarrierAck{id});
  }
}

void Mirror::on_local_session(const Session& session) {
  impl_->sender.change(session);
}
void Mirror::on_local_end(const EndedSession& ended) {
  impl_->sender.end(ended);
}
void Mirror::on_snapshot_begin(uint64_t total) {
  impl_->sender.snapshot_begin(total);
}
void Mirror::on_snapshot(std::span<const Session> sessions) {
  impl_->sender.snapshot(sessions);
}
void Mirror::on_snapshot_end() {
  impl_->sender.snapshot_end();
}

MirrorActions Mirror::set_mastered(VsdSet mastered) {
  MirrorActions out;
  const VsdSet gained = mastered - impl_->mastered, lost = impl_->mastered - mastered;
  impl_->mastered = mastered;
  impl_->sender.set_mastered(mastered);
  if (!(gained - impl_->shared).empty()) impl_->sender.want_sync(gained - impl_->shared);
  if (impl_->incoming) impl_->incoming->refused = impl_->incoming->refused | (impl_->incoming->begin.vsds & gained);
  if (!(lost & impl_->missed).empty()) {
    impl_->missed = impl_->missed - lost;
    impl_->request_sync(out);
  }
  return out;
}

MirrorActions Mirror::begin_barrier(uint64_t id) {
  if (impl_->closing || !impl_->sender.active()) return {BarrierDone{id}};
  impl_->sender.begin_barrier(id);
  return {};
}

MirrorActions Mirror::on_settings(Instant now, MirrorSettings settings) {
  MirrorActions out;
  const MirrorSettings old = std::exchange(impl_->settings, settings);
  impl_->next_heartbeat = std::min(impl_->next_heartbeat, now + settings.hb_interval);
  impl_->next_ready = std::min(impl_->next_ready, now + settings.hb_interval);
  const bool same = old.unit == settings.unit && old.cluster == settings.cluster &&
                    old.boot_epoch == settings.boot_epoch && old.sync == settings.sync;
  if (same || !impl_->connected || impl_->closing) return out;
  if (old.sync && !impl_->enabled()) {
    Send detach;
    append(detach.bytes, GroupDetach{});
    out.push_back(std::move(detach));
  }
  impl_->close(out, "the settings of the mirror changed here");
  return out;
}

void Mirror::resync() {
  impl_->sender.restart_sync();
}

MirrorActions Mirror::on_time(Instant now) {
  MirrorActions out;
  if (!impl_->connected || impl_->closing) return out;
  const MirrorSettings& own = impl_->settings;
  if (now >= impl_->last_heard + own.hb_interval * own.hb_threshold) {
    impl_->close(
        out, "the peer sent no RTO heartbeat for " + std::to_string(own.hb_interval.count() * own.hb_threshold) + " s");
    return out;
  }
  if (now >= impl_->next_heartbeat) {
    impl_->next_heartbeat = now + own.hb_interval;
    if (impl_->enabled()) impl_->control(out, RtoHeartbeat{});
  }
  if (now >= impl_->next_ready) {
    impl_->next_ready = now + own.hb_interval;
    if (impl_->enabled() && !impl_->receiving) impl_->control(out, ReceiverReady{});
  }
  return out;
}

Instant Mirror::next_deadline() const {
  if (!impl_->connected || impl_->closing) return Instant::max();
  const Instant silent = impl_->last_heard + impl_->settings.hb_interval * impl_->settings.hb_threshold;
  return std::min({silent, impl_->next_heartbeat, impl_->next_ready});
}

MirrorView Mirror::view() const {
  return {.state = impl_->state(),
          .sync = impl_->settings.sync,
          .in_sync = impl_->in_sync,
          .peer = impl_->peer ? impl_->peer->unit : UnitId{},
          .sent = impl_->sender.sent(),
          .received = impl_->received,
          .ended = impl_->sender.ended(),
          .pending = impl_->sender.pending(),
          .cold_sync_total = impl_->sync_total,
          .cold_sync_received = impl_->sync_received,
          .refused = impl_->refused,
          .failed = impl_->failed,
          .unsendable = impl_->sender.unsendable()};
}

}  // namespace nsrp::rto
