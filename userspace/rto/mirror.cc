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
  audit.reset();
  missing = 0;
  sync_complete = false;
  repair_pause = {};
  next_repair = {};
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
  if (!value) give_up_audit(out);
  out.push_back(InSync{value, peer ? peer->unit : UnitId{}});
}

void Mirror::Impl::stop_sending(MirrorActions& out) {
  for (ObjectStream& objects : streams) objects.deactivate();
  for (const uint64_t id : sender.deactivate()) out.push_back(BarrierDone{id, false});
}

// The receiver's word for "send me everything": r-ready.
void Mirror::Impl::request_sync(MirrorActions& out) {
  set_in_sync(out, false);
  sync_complete = false;
  control(out, ReceiverReady{});
}

void Mirror::Impl::lack(MirrorActions& out, uint64_t sessions) {
  missing += sessions;
  if (missing > 0) set_in_sync(out, false);
}

// Decided when the last session of a cold sync has been installed, or could not be.
void Mirror::Impl::sync_settled(MirrorActions& out) {
  if (!sync_complete || installing > 0) return;
  if (missing == 0) repair_pause = {};
  set_in_sync(out, missing == 0);
}

Mirror::Mirror(MirrorSettings settings, std::vector<ObjectRules> classes, size_t max_pending)
    : impl_(std::make_unique<Impl>(settings, classes, max_pending)) {
  impl_->sender.audit().set_pace(settings.audit_interval, settings.audit_settle);
}
Mirror::~Mirror() = default;

MirrorActions Mirror::on_connected(Instant now) {
  MirrorActions out;
  impl_->reset_connection();
  impl_->connected = true;
  impl_->last_heard = now;
  impl_->next_heartbeat = impl_->next_ready = now + impl_->settings.hb_interval;
  const MirrorSettings& own = impl_->settings;
  ClassSet classes;
  classes.insert(ClassId::kSession);
  for (const ObjectStream& objects : impl_->streams) classes.insert(objects.rules().id);
  impl_->control(out, Hello{own.unit, own.cluster, own.boot_epoch, own.sync, classes});
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
  const Impl& impl = *impl_;
  return impl.connected && !impl.closing &&
         (!impl.control_queue.empty() || impl.sender.wants_write() ||
          std::any_of(impl.streams.begin(), impl.streams.end(), [](const auto& s) { return s.wants_write(); }));
}

MirrorActions Mirror::on_writable(Instant now, size_t bytes) {
  MirrorActions out;
  if (!impl_->connected || impl_->closing) return out;
  Send send;
  auto& queue = impl_->control_queue;
  while (!queue.empty() && send.bytes.size() + queue.front().size() <= bytes) {
    send.bytes.insert(send.bytes.end(), queue.front().begin(), queue.front().end());
    queue.pop_front();
  }
  std::optional<ReadSessions> read;
  if (queue.empty()) {
    for (ObjectStream& objects : impl_->streams) objects.write(send.bytes, bytes - send.bytes.size());
  }
  if (queue.empty()) read = impl_->sender.write(now, send.bytes, bytes - send.bytes.size());
  impl_->shared = impl_->shared | impl_->sender.take_synced();
  if (!send.bytes.empty()) out.push_back(std::move(send));
  if (read) out.push_back(*read);
  return out;
}

MirrorActions Mirror::on_installed(uint64_t failed) {
  MirrorActions out;
  impl_->failed += failed;
  impl_->lack(out, failed);
  if (impl_->installing > 0) --impl_->installing;
  if (impl_->installing > 0) return out;
  for (const uint64_t id : std::exchange(impl_->unacknowledged, {})) {
    append(impl_->control_queue.emplace_back(), BarrierAck{id});
  }
  impl_->sync_settled(out);
  return out;
}

MirrorActions Mirror::on_given_up(uint64_t sessions) {
  MirrorActions out;
  impl_->failed += sessions;
  if (impl_->receiving) impl_->lack(out, sessions);
  return out;
}

// A cold sync costs both members much, and with the next session the table may be full again: ever longer pauses.
MirrorActions Mirror::on_room(Instant now, uint64_t room) {
  MirrorActions out;
  Impl& impl = *impl_;
  const bool may_help = impl.missing > 0 && room >= std::min(impl.missing, kWorthwhileRoom);
  if (!may_help || !impl.receiving || impl.closing || !impl.sync_complete || now < impl.next_repair) return out;
  impl.repair_pause = std::clamp<Duration>(2 * impl.repair_pause, kFirstRepairPause, kLastRepairPause);
  impl.next_repair = now + impl.repair_pause;
  impl.request_sync(out);
  return out;
}

void Mirror::on_local_session(const Session& session) {
  impl_->sender.change(session);
}
void Mirror::on_local_end(const EndedSession& ended) {
  impl_->sender.end(ended);
}
void Mirror::on_local_object(ClassId id, const Object& object) {
  if (ObjectStream* objects = impl_->stream(id)) objects->change(object);
}
void Mirror::on_local_object_end(ClassId id, const EndedObject& ended) {
  if (ObjectStream* objects = impl_->stream(id)) objects->end(ended);
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
  if (impl_->audit.running() && !(impl_->audit.vsds() & mastered).empty()) impl_->give_up_audit(out);
  impl_->sender.set_mastered(impl_->told());
  bool ask = !(lost & impl_->missed).empty();
  for (ObjectStream& objects : impl_->streams) ask = objects.set_mastered(mastered) || ask;
  if (!(gained - impl_->shared).empty()) impl_->sender.want_sync(gained - impl_->shared);
  if (impl_->incoming) impl_->incoming->refused = impl_->incoming->refused | (impl_->incoming->begin.vsds & gained);
  impl_->missed = impl_->missed - lost;
  if (ask) impl_->request_sync(out);
  return out;
}

MirrorActions Mirror::begin_barrier(uint64_t id, BarrierOf what) {
  if (impl_->closing || !impl_->sender.active()) return {BarrierDone{id, false}};
  impl_->sender.begin_barrier(id, what);
  return {};
}

MirrorActions Mirror::on_settings(Instant now, MirrorSettings settings) {
  MirrorActions out;
  const MirrorSettings old = std::exchange(impl_->settings, settings);
  impl_->sender.set_mastered(impl_->told());
  impl_->sender.audit().set_pace(settings.audit_interval, settings.audit_settle);
  if (!old.send_sessions && settings.send_sessions) impl_->sender.restart_sync();
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

void Mirror::resync(ClassId id) {
  if (id == ClassId::kSession) return impl_->sender.restart_sync();
  if (ObjectStream* objects = impl_->stream(id)) objects->restart_sync();
}

MirrorActions Mirror::fetch() {
  MirrorActions out;
  if (impl_->receiving && !impl_->closing) impl_->request_sync(out);
  return out;
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
  impl_->audit_tick(now, out);
  return out;
}

Instant Mirror::next_deadline() const {
  if (!impl_->connected || impl_->closing) return Instant::max();
  const Instant silent = impl_->last_heard + impl_->settings.hb_interval * impl_->settings.hb_threshold;
  return std::min(
      {silent, impl_->next_heartbeat, impl_->next_ready, impl_->sender.audit().deadline(), impl_->audit.deadline()});
}

MirrorView Mirror::view() const {
  std::vector<ObjectView> objects;
  for (const ObjectStream& each : impl_->streams) objects.push_back(each.view());
  return {.state = impl_->state(),
          .sync = impl_->settings.sync,
          .in_sync = impl_->in_sync,
          .missing = impl_->missing,
          .peer = impl_->peer ? impl_->peer->unit : UnitId{},
          .sent = impl_->sender.sent(),
          .received = impl_->received,
          .ended = impl_->sender.ended(),
          .pending = impl_->sender.pending(),
          .cold_sync_total = impl_->sync_total,
          .cold_sync_received = impl_->sync_received,
          .refused = impl_->refused,
          .failed = impl_->failed,
          .unsendable = impl_->sender.unsendable(),
          .objects = std::move(objects),
          .audit_here = impl_->audit.view(),
          .audit_there = impl_->sender.audit().view()};
}

}  // namespace nsrp::rto
