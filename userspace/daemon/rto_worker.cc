// SPDX-License-Identifier: Apache-2.0
#include "daemon/rto_worker.h"

#include <pthread.h>

#include <algorithm>
#include <mutex>
#include <thread>
#include <utility>

#include "daemon/rto_worker_impl.h"
#include "io/clock.h"

namespace nsrp::daemon {

std::vector<std::unique_ptr<RtoClass>> RtoWorker::Impl::make_classes() {
  std::vector<std::unique_ptr<RtoClass>> classes;
  for (const RtoClassEntry& entry : rto_classes()) {
    if (entry.make != nullptr) classes.push_back(entry.make());
  }
  return classes;
}

std::vector<rto::ObjectRules> RtoWorker::Impl::rules_of(const std::vector<std::unique_ptr<RtoClass>>& classes) {
  std::vector<rto::ObjectRules> rules;
  for (const auto& each : classes) rules.push_back(each->rules());
  return rules;
}

void RtoWorker::Impl::resync(const std::string& name) {
  if (name == "all" || name == "session") mirror.resync(rto::ClassId::kSession);
  for (const auto& each : classes) {
    if (name == "all" || name == each->rules().name) mirror.resync(each->rules().id);
  }
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

void RtoWorker::acknowledge(uint64_t id) {
  impl_->loop->post([impl = impl_.get(), id] {
    impl->sessions->drain_ring();
    impl->carry_out(impl->mirror.begin_barrier(id | Impl::kAcknowledgement, rto::BarrierOf::kChanges));
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
