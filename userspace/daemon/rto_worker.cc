// SPDX-License-Identifier: Apache-2.0
#include "daemon/rto_worker.h"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <mutex>
#include <thread>
#include <utility>

#include "daemon/rto_sessions.h"
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

std::vector<std::unique_ptr<RtoClass>> make_classes() {
  std::vector<std::unique_ptr<RtoClass>> classes;
  for (const RtoClassEntry& entry : rto_classes()) {
    if (entry.make != nullptr) classes.push_back(entry.make());
  }
  return classes;
}

std::vector<rto::ObjectRules> rules_of(const std::vector<std::unique_ptr<RtoClass>>& classes) {
  std::vector<rto::ObjectRules> rules;
  for (const auto& each : classes) rules.push_back(each->rules());
  return rules;
}

}  // namespace

struct RtoWorker::Impl {
  RtoCallbacks callbacks;
  std::unique_ptr<io::Loop> loop;
  std::vector<std::unique_ptr<RtoClass>> classes = make_classes();  // all but sessions
  rto::Mirror mirror{rto::MirrorSettings{}, rules_of(classes)};
  rto::MirrorSettings settings;
  std::optional<RtoPeer> peer;
  std::unique_ptr<RtoSessions> sessions;
  std::unique_ptr<RtoChannel> channel;
  io::Watch ring_watch, destroyed_watch;
  bool ring_watched = false;
  io::Loop::TimerId deadline_timer = 0;
  Instant last_complaint;
  uint64_t complained_of = 0;
  bool degraded = false;
  bool clear_on_inactive = false;
  rto::VsdSet mastered;

  mutable std::mutex view_mutex;
  RtoView view;
  std::thread thread;

  void open_channel();
  void start_classes();
  RtoClass* class_of(rto::ClassId id);
  void resync(const std::string& name);
  void begin();
  void configure_channel();
  void pump();
  void carry_out(rto::MirrorActions actions);
  void carry_out(rto::Send& send) { channel->send(send.bytes); }
  void carry_out(rto::Install& install);
  void carry_out(rto::Remove& remove) { complain(sessions->remove(remove.keys)); }
  void carry_out(rto::Restate& restate) { sessions->restate(restate.keys); }
  void carry_out(rto::SyncStarted&) { sessions->sync_started(); }
  void carry_out(rto::SyncFinished& finished) { complain(sessions->sync_finished(finished)); }
  void carry_out(rto::ReadSessions& read);
  void carry_out(rto::ReadForAudit& read);
  void carry_out(rto::AuditDiffers& found);
  void carry_out(rto::ApplyObjects& apply) { class_of(apply.id)->apply(apply.objects); }
  void carry_out(rto::WithdrawObjects& withdraw) { class_of(withdraw.id)->withdraw(withdraw.objects); }
  void carry_out(rto::InSync& in_sync) { callbacks.on_in_sync(in_sync.value, in_sync.peer); }
  void carry_out(rto::BarrierDone& done) { callbacks.on_barrier_done(done.id); }
  void carry_out(rto::CloseChannel& close) { channel->close(close.reason); }

  void on_ring();
  void on_destroyed();
  void take_all_changes();
  void set_mastered(rto::VsdSet vsds);
  void sweep();
  void check_some();
  void go_on_with(Result<bool> (RtoSessions::*step)());
  void count_some();
  void look_for_room();
  void complain(const Status& status);
  void complain_of_failed_sessions();
  void report_degradation(const rto::MirrorView& now);
  void publish();
};

void RtoWorker::Impl::open_channel() {
  channel =
      std::make_unique<RtoChannel>(*loop, RtoChannel::Handlers{
                                              .connected =
                                                  [this] {
                                                    carry_out(mirror.on_connected(io::now()));
                                                    pump();
                                                  },
                                              .received =
                                                  [this](std::span<const uint8_t> bytes) {
                                                    carry_out(mirror.on_bytes(io::now(), bytes));
                                                    pump();
                                                  },
                                              .has_room = [this] { pump(); },
                                              .disconnected =
                                                  [this] {
                                                    sessions->sync_aborted();
                                                    carry_out(mirror.on_disconnected(io::now()));
                                                    pump();
                                                  },
                                              .report = [this](const std::string& text) { callbacks.on_event(text); },
                                          });
}

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

RtoClass* RtoWorker::Impl::class_of(rto::ClassId id) {
  const auto found = std::find_if(classes.begin(), classes.end(), [&](auto& each) { return each->rules().id == id; });
  return found->get();  // the mirror speaks of no other
}

void RtoWorker::Impl::resync(const std::string& name) {
  if (name == "all" || name == "session") mirror.resync(rto::ClassId::kSession);
  for (const auto& each : classes) {
    if (name == "all" || name == each->rules().name) mirror.resync(each->rules().id);
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

// Hands out what there is room for, and sees to the mirror's next deadline.
void RtoWorker::Impl::pump() {
  while (channel->connected() && channel->room() > 0 && mirror.wants_write()) {
    rto::MirrorActions actions = mirror.on_writable(io::now(), channel->room());
    if (actions.empty()) break;
    carry_out(std::move(actions));
  }
  if (deadline_timer != 0) loop->cancel(std::exchange(deadline_timer, 0));
  if (const Instant deadline = mirror.next_deadline(); deadline != Instant::max()) {
    deadline_timer = loop->call_at(deadline, [this] {
      deadline_timer = 0;
      carry_out(mirror.on_time(io::now()));
      pump();
    });
  }
  publish();
}

void RtoWorker::Impl::carry_out(rto::MirrorActions actions) {
  for (rto::MirrorAction& action : actions) {
    std::visit([this](auto& wanted) { carry_out(wanted); }, action);
  }
}

void RtoWorker::Impl::carry_out(rto::Install& install) {
  carry_out(mirror.on_installed(sessions->install(install)));
  complain_of_failed_sessions();
}

// A table that cannot be read is not an empty one: the peer would remove what it was not sent.
void RtoWorker::Impl::carry_out(rto::ReadSessions& read) {
  if (const Status done = sessions->read(read); !done) channel->close(done.error().message);
}

void RtoWorker::Impl::carry_out(rto::ReadForAudit& read) {
  const Result<RtoSessions::AuditStep> step = sessions->read(read);
  if (!step) return channel->close(step.error().message);
  carry_out(mirror.on_audit_read(io::now(), read.own, step->sessions, step->at_end));
}

void RtoWorker::Impl::carry_out(rto::AuditDiffers& found) {
  callbacks.on_event("audit=differing buckets=" + std::to_string(found.buckets) + " repair=asked");
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
  const RtoView now{mirror.view(), sessions->count()};
  report_degradation(now.mirror);
  const std::lock_guard lock(view_mutex);
  view = now;
}

void RtoWorker::Impl::configure_channel() {
  const bool wanted = settings.sync && settings.cluster.value != 0;
  channel->set_peer(settings.unit, wanted ? peer : std::nullopt);
}

RtoWorker::RtoWorker() : impl_(std::make_unique<Impl>()) {}

Result<std::unique_ptr<RtoWorker>> RtoWorker::start(const kernel::Datapath& datapath, RtoCallbacks callbacks) {
  std::unique_ptr<RtoWorker> worker(new RtoWorker);
  Impl& impl = *worker->impl_;
  impl.callbacks = std::move(callbacks);
  Result<std::unique_ptr<io::Loop>> loop = io::Loop::create();
  if (!loop) return fail(loop.error());
  impl.loop = std::move(*loop);
  Result<std::unique_ptr<RtoSessions>> sessions = RtoSessions::open(datapath, impl.mirror);
  if (!sessions) return fail(sessions.error());
  impl.sessions = std::move(*sessions);
  impl.open_channel();
  impl.publish();
  impl.thread = std::thread([&impl] { impl.begin(); });
  pthread_setname_np(impl.thread.native_handle(), "nsrp-rto");
  return worker;
}

RtoWorker::~RtoWorker() {
  if (!impl_->thread.joinable()) return;
  impl_->loop->stop();
  impl_->thread.join();
}

void RtoWorker::set_peer(std::optional<RtoPeer> peer) {
  impl_->loop->post([impl = impl_.get(), peer] {
    impl->peer = peer;
    impl->configure_channel();
    impl->pump();
  });
}

void RtoWorker::set_settings(rto::MirrorSettings settings) {
  impl_->loop->post([impl = impl_.get(), settings] {
    if (settings == impl->settings) return;
    impl->settings = settings;
    impl->carry_out(impl->mirror.on_settings(io::now(), settings));
    impl->configure_channel();
    impl->pump();
  });
}

void RtoWorker::set_clear_on_inactive(bool on) {
  impl_->loop->post([impl = impl_.get(), on] { impl->clear_on_inactive = on; });
}

// The cold sync takes those that are not to be told of any more away at the peer.
void RtoWorker::set_no_backup(std::optional<config::NoBackupMark> mark) {
  impl_->loop->post([impl = impl_.get(), mark] {
    if (!impl->sessions->set_no_backup(mark)) return;
    impl->mirror.resync(rto::ClassId::kSession);
    impl->pump();
  });
}

void RtoWorker::set_mastered(const std::set<VsdId>& mastered) {
  rto::VsdSet vsds;
  for (const VsdId vsd : mastered) vsds.insert(vsd);
  impl_->loop->post([impl = impl_.get(), vsds] {
    impl->set_mastered(vsds);
    impl->pump();
  });
}

void RtoWorker::Impl::set_mastered(rto::VsdSet vsds) {
  take_all_changes();  // while what was mastered until now still counts
  const rto::VsdSet lost = std::exchange(mastered, vsds) - vsds;
  sessions->set_mastered(vsds);
  for (const auto& each : classes) each->set_mastered(vsds);
  carry_out(mirror.set_mastered(vsds));
  if (lost.empty() || !clear_on_inactive) return;
  complain(sessions->clear(lost));
  carry_out(mirror.fetch());
}

void RtoWorker::begin_barrier(uint64_t id) {
  impl_->loop->post([impl = impl_.get(), id] {
    impl->take_all_changes();
    impl->carry_out(impl->mirror.begin_barrier(id));
    impl->pump();
  });
}

void RtoWorker::set_vsis(std::vector<RtoVsi> vsis) {
  impl_->loop->post([impl = impl_.get(), vsis = std::move(vsis)] {
    impl->sessions->set_vsis(vsis);
    for (const auto& each : impl->classes) each->set_vsis(vsis);
    impl->pump();
  });
}

Status RtoWorker::resync(const std::string& name, bool from_peer) {
  const auto classes = rto_classes();
  const auto entry = std::find_if(classes.begin(), classes.end(), [&](const auto& each) { return each.name == name; });
  if (name != "all" && entry == classes.end()) return fail("there is no class \"" + name + "\" of run-time objects");
  if (name != "all" && !entry->built_in) {
    return fail("run-time objects of class " + name + " are not mirrored by this build");
  }
  if (view().mirror.state != rto::MirrorState::kActive) {
    return fail("the RTO mirror is not active; see \"get nsrp rto-mirror\"");
  }
  impl_->loop->post([impl = impl_.get(), name, from_peer] {
    if (from_peer) {
      impl->carry_out(impl->mirror.fetch());
    } else {
      impl->resync(name);
    }
    impl->pump();
  });
  return {};
}

RtoView RtoWorker::view() const {
  const std::lock_guard lock(impl_->view_mutex);
  return impl_->view;
}

}  // namespace nsrp::daemon
