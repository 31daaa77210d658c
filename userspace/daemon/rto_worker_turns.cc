// SPDX-License-Identifier: Apache-2.0
// What the RTO thread does by itself, again and again, and what it tells of it.
#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "daemon/rto_worker_impl.h"
#include "io/clock.h"

namespace nsrp::daemon {
namespace {

// The first change after a pause is told at once. While more come they are taken from the ring this often: a wake-up
// for each would cost more than it brings, and many at a time cost both members less.
constexpr milliseconds kRingPause{1}, kBusyRingPause{4};
constexpr size_t kBusyRing = 16;
// Above other programs, below the control thread: what the peer has not heard of when this device dies is lost.
constexpr int kNiceness = -10;
constexpr milliseconds kSweepInterval{100};
// The records an earlier run left are looked through soon; later on what ends in silence is rare.
constexpr milliseconds kFirstCheckInterval{50}, kCheckInterval{1000};
constexpr milliseconds kRoomInterval{500}, kCountInterval{50};
// Reading the table takes at most this fraction of the thread's time: meanwhile nothing is mirrored, and an almost
// empty table is read in one piece, however large it is.
constexpr int kReadingShare = 200;
// What a change of mastership leaves to be done takes about this fraction of the thread's time.
constexpr milliseconds kStepInterval{200};
constexpr int kStepShare = 4;
constexpr seconds kComplaintInterval{10};

Duration rest_after(Duration reading, Duration at_least) {
  return std::max(at_least, reading * kReadingShare);
}

}  // namespace

void RtoWorker::Impl::start_classes() {
  for (const auto& each : classes) {
    const rto::ClassId id = each->rules().id;
    const Status started =
        each->start(*loop, {.changed = [this, id](const rto::Object& o) { mirror.on_local_object(id, o); },
                            .ended = [this, id](const rto::EndedObject& o) { mirror.on_local_object_end(id, o); },
                            .told = [this] { pump(); },
                            .trouble = [this](const Status& status) { complain(status); },
                            .vsd_of = [this](const nsrp_tuple& flow) { return sessions->vsd_of(flow); }});
    complain(started);
  }
}

void RtoWorker::Impl::begin() {
  (void)setpriority(PRIO_PROCESS, 0, kNiceness);  // of this thread; without the right to it, it works as well
  sessions->on_helped_flow([this](const nsrp_tuple& flow) {
    for (const auto& each : classes) each->on_helped_flow(flow);
  });
  start_classes();
  destroyed_watch = loop->watch(sessions->destroyed_fd(), io::Loop::kReadable, [this] { on_destroyed(); });
  on_ring();
  sweep();
  check_some();
  go_on_with(&RtoSessions::adjust_timeouts);
  go_on_with(&RtoSessions::adopt_some);
  count_some();
  look_for_room();
  loop->run();
}

void RtoWorker::Impl::on_ring() {
  const size_t changes = sessions->drain_ring();
  if (changes > 0) {
    ring_watch = {};
    ring_watched = false;
    loop->call_at(io::now() + (changes < kBusyRing ? kRingPause : kBusyRingPause), [this] { on_ring(); });
    pump();
  } else if (!ring_watched) {
    ring_watched = true;
    ring_watch = loop->watch(sessions->ring_fd(), io::Loop::kReadable, [this] { on_ring(); });
  }
}

void RtoWorker::Impl::on_destroyed() {
  complain(sessions->take_destroyed());
  pump();
}

void RtoWorker::Impl::take_all_changes() {
  sessions->drain_ring();
  complain(sessions->sweep_dirty());
}

void RtoWorker::Impl::sweep() {
  complain(sessions->sweep_dirty());
  carry_out(mirror.on_given_up(sessions->retry_refused()));
  complain_of_failed_sessions();
  report_not_installable();
  pump();
  loop->call_at(io::now() + kSweepInterval, [this] { sweep(); });
}

void RtoWorker::Impl::check_some() {
  const Instant before = io::now();
  const Result<bool> all = sessions->check_some();
  if (!all) complain(fail(all.error()));
  pump();
  const Duration pause = all.value_or(true) ? rest_after(io::now() - before, kCheckInterval) : kFirstCheckInterval;
  loop->call_at(io::now() + pause, [this] { check_some(); });
}

// What a change of mastership leaves to be done, step by step.
void RtoWorker::Impl::go_on_with(Result<bool> (RtoSessions::*step)()) {
  const Instant before = io::now();
  const Result<bool> more = (*sessions.*step)();
  if (!more) complain(fail(more.error()));
  const Duration pause = more.value_or(false) ? (io::now() - before) * kStepShare : Duration(kStepInterval);
  pump();
  loop->call_at(io::now() + pause, [this, step] { go_on_with(step); });
}

void RtoWorker::Impl::count_some() {
  const Instant before = io::now();
  complain(sessions->count_some());
  loop->call_at(io::now() + rest_after(io::now() - before, kCountInterval), [this] { count_some(); });
}

void RtoWorker::Impl::look_for_room() {
  if (mirror.view().missing > 0) carry_out(mirror.on_room(io::now(), sessions->room()));
  pump();
  loop->call_at(io::now() + kRoomInterval, [this] { look_for_room(); });
}

void RtoWorker::Impl::complain(const Status& status) {
  const Instant now = io::now();
  if (status || now < last_complaint + kComplaintInterval) return;
  last_complaint = now;
  callbacks.on_event("sessions=trouble cause=\"" + status.error().message + "\"");
}

void RtoWorker::Impl::complain_of_failed_sessions() {
  const uint64_t failed = mirror.view().failed;
  const Instant now = io::now();
  if (failed == complained_of || now < last_complaint + kComplaintInterval) return;
  last_complaint = now;
  callbacks.on_event("sessions_not_installed=" + std::to_string(failed - std::exchange(complained_of, failed)) +
                     " cause=\"" + sessions->last_failure() + "\"");
}

// Told again only when they are more than ever, since the last time there were none.
void RtoWorker::Impl::report_not_installable() {
  const size_t now = sessions->not_installable();
  if (now > told_not_installable) {
    callbacks.on_event("sessions_not_installable=" + std::to_string(now) + " cause=\"" + sessions->last_failure() +
                       "\"");
  }
  told_not_installable = now == 0 ? 0 : std::max(now, told_not_installable);
}

// Told once when copies begin to be missing here, and once when they are all there again.
void RtoWorker::Impl::report_degradation(const rto::MirrorView& now) {
  if (now.missing > 0 && !degraded) {
    degraded = true;
    callbacks.on_event("copy=degraded missing=" + std::to_string(now.missing) + " cause=\"" + sessions->last_failure() +
                       "\"");
  } else if (degraded && now.in_sync) {
    degraded = false;
    callbacks.on_event("copy=complete");
  }
}

void RtoWorker::Impl::publish() {
  const RtoView now{mirror.view(), sessions->not_installable(), sessions->count()};
  report_degradation(now.mirror);
  const bool listens = now.mirror.state == rto::MirrorState::kActive && settings.send_sessions;
  if (std::exchange(peer_listens, listens) != listens) callbacks.on_peer_listens(listens);
  const std::lock_guard lock(view_mutex);
  view = now;
}

}  // namespace nsrp::daemon
