// SPDX-License-Identifier: Apache-2.0
#include "daemon/control_thread.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>

#include "io/clock.h"
#include "wire/announcement.h"

namespace nsrp::daemon {

namespace {

constexpr int kRealtimePriority = 50;

bool become_realtime(std::thread& thread) {
  sched_param parameters{};
  parameters.sched_priority = kRealtimePriority;
  return pthread_setschedparam(thread.native_handle(), SCHED_FIFO, &parameters) == 0;
}

// When this lease ends by the data path's own rule (struct nsrp_vsd_state).
Instant end_of(const kernel::Lease& lease) {
  const bool peer_seen = lease.peer_seen != Instant{} && lease.alone_grace != Duration{0};
  return peer_seen ? std::min(lease.until, lease.peer_seen + lease.alone_grace) : lease.until;
}

}  // namespace

Result<std::unique_ptr<ControlThread>> ControlThread::start(kernel::Datapath& datapath, uint64_t boot_epoch,
                                                            ControlCallbacks callbacks) {
  std::unique_ptr<ControlThread> control(new ControlThread(datapath, boot_epoch, std::move(callbacks)));
  Result<std::unique_ptr<io::Loop>> loop = io::Loop::create();
  if (!loop) return fail(loop.error());
  control->loop_ = std::move(*loop);
  control->frames_ = std::make_unique<HaFrames>(*control->loop_, boot_epoch, control->frame_handlers());
  control->thread_ = std::thread([self = control.get()] { self->run(); });
  pthread_setname_np(control->thread_.native_handle(), "nsrp-control");
  control->realtime_ = become_realtime(control->thread_);
  return control;
}

ControlThread::~ControlThread() {
  if (!thread_.joinable()) return;
  loop_->stop();
  thread_.join();
}

void ControlThread::run() {
  loop_->run();
  frames_->close_links();  // watches end on the thread of their loop
}

HaFrames::Handlers ControlThread::frame_handlers() {
  return {.heartbeat =
              [this](core::LinkIndex link, core::LinkIndex sent_on, const core::Heartbeat& heartbeat) {
                tell(golden::HeartbeatIn{link, sent_on, heartbeat});
              },
          .probe_answer =
              [this](core::LinkIndex link, uint64_t id) {
                tell(golden::ProbeAnswer{link, id});
              },
          .peers_changed =
              [this] {
                publish();
                callbacks_.on_change();
              },
          .turn_ended = [this] { settle(); }};
}

// Everything a Member learns goes through here, so that a recording has all of it.
Status ControlThread::tell(const golden::Input& input) {
  if (!member_) return {};
  const Instant now = io::now();
  Result<core::Actions> answer = golden::apply(*member_, now, input);
  if (callbacks_.on_told) callbacks_.on_told(now, input, answer);
  if (!answer) return fail(answer.error());
  carry_out(std::move(*answer));
  return {};
}

void ControlThread::settle() {
  schedule();
  publish();
}

void ControlThread::post(golden::Input input) {
  loop_->post([this, input = std::move(input)] {
    tell(input);
    settle();
  });
}

void ControlThread::order(golden::Input input, std::function<void(Status)> done) {
  loop_->post([this, input = std::move(input), done = std::move(done)] {
    if (!member_) return done(fail("this device is in no cluster; use \"set nsrp cluster id <1-7>\" first"));
    const Status accepted = tell(input);
    settle();
    done(accepted);
  });
}

void ControlThread::set_settings(std::optional<core::MemberSettings> settings, ClusterId cluster,
                                 uint64_t config_checksum) {
  loop_->post([this, settings = std::move(settings), cluster, config_checksum] {
    if (settings) frames_->join(HaFrames::Identity{settings->unit, cluster, config_checksum});
    apply_settings(settings);
    if (!settings) frames_->join(std::nullopt);
  });
}

void ControlThread::apply_settings(std::optional<core::MemberSettings> settings) {
  if (!settings) {
    tell(golden::Leave{});
    for (const core::VsdView& vsd : state_.vsds) datapath_.revoke_lease(vsd.settings.id);
    member_.reset();
  } else if (!member_) {
    create_member(std::move(*settings));
  } else {
    tell(golden::SettingsIn{std::move(*settings)});
  }
  settle();
}

void ControlThread::create_member(core::MemberSettings settings) {
  const Instant now = io::now();
  std::vector<core::AdoptedLease> adopted;
  for (unsigned id = 0; id < NSRP_MAX_VSDS; ++id) {
    const VsdId vsd{static_cast<uint8_t>(id)};
    const bool configured = std::any_of(settings.vsds.begin(), settings.vsds.end(),
                                        [vsd](const core::VsdSettings& each) { return each.id == vsd; });
    const kernel::Lease lease = datapath_.lease(vsd);
    if (configured && now < end_of(lease)) {
      adopted.push_back({vsd, end_of(lease), lease.term});
    } else {
      datapath_.revoke_lease(vsd);
    }
  }
  if (callbacks_.on_member) callbacks_.on_member({"", settings, now, boot_epoch_, adopted});
  member_ = std::make_unique<core::Member>(std::move(settings), now, boot_epoch_, adopted);
  for (const auto& [index, link] : frames_->links()) tell(golden::LinkIn{index, link.facts});
  tell(golden::Start{});
}

void ControlThread::set_keys(std::shared_ptr<const wire::Keys> keys) {
  loop_->post([this, keys = std::move(keys)] {
    frames_->set_keys(keys);
    settle();
  });
}

void ControlThread::set_links(std::vector<ControlLink> links) {
  loop_->post([this, links = std::move(links)] {
    std::map<core::LinkIndex, ControlLink> gone = frames_->links();
    for (const ControlLink& link : links) {
      gone.erase(link.index);
      const auto known = frames_->links().find(link.index);
      if (known != frames_->links().end() && known->second == link) continue;
      frames_->open_link(link);
      tell(golden::LinkIn{link.index, link.facts});
    }
    for (const auto& [index, link] : gone) {
      frames_->close_link(index);
      tell(golden::LinkIn{index, {}});
    }
    settle();
  });
}

void ControlThread::set_announce_targets(std::map<VsdId, std::vector<AnnounceTarget>> targets) {
  loop_->post([this, targets = std::move(targets)] {
    targets_ = targets;
    announce_sockets_.clear();
    for (const auto& [vsd, list] : targets_) {
      for (const AnnounceTarget& target : list) {
        Result<io::LinkSocket> socket = io::LinkSocket::open(target.ifindex, 0);
        if (socket) announce_sockets_.emplace(target.ifindex, std::move(*socket));
      }
    }
  });
}

void ControlThread::set_sync(bool in_sync, UnitId rto_peer) {
  post(golden::SyncIn{in_sync, rto_peer});
}

void ControlThread::set_health(std::optional<VsdId> vsd, bool operable, std::string reason) {
  post(golden::HealthIn{vsd, operable, std::move(reason)});
}

void ControlThread::barrier_done(VsdId vsd) {
  post(golden::BarrierDone{vsd});
}

void ControlThread::clear_counters_everywhere() {
  post(golden::ClearCommand{});
}

void ControlThread::begin_leave() {
  loop_->post([this] {
    if (!member_) {
      callbacks_.on_action(core::MayExit{});
      return;
    }
    tell(golden::Leave{});
    settle();
  });
}

void ControlThread::command(VsdId vsd, core::ModeCommand mode, std::function<void(Status)> done) {
  order(golden::Command{vsd, mode}, std::move(done));
}

void ControlThread::probe(core::LinkIndex link, std::optional<MacAddress> to, uint8_t count,
                          std::function<void(Status)> done) {
  order(golden::ProbeCommand{link, to, count}, std::move(done));
}

std::shared_ptr<const ControlView> ControlThread::view() const {
  const std::lock_guard lock(view_mutex_);
  return view_;
}

void ControlThread::on_deadline() {
  timer_ = 0;
  state_.worst_lateness = std::max(state_.worst_lateness, io::now() - deadline_);
  tell(golden::Time{});
  settle();
}

void ControlThread::schedule() {
  if (timer_ != 0) loop_->cancel(timer_);
  timer_ = 0;
  if (!member_) return;
  deadline_ = member_->next_deadline();
  timer_ = loop_->call_at(deadline_, [this] { on_deadline(); });
}

void ControlThread::carry_out(core::Actions actions) {
  bool told = false;
  for (core::Action& action : actions) {
    if (carry_out_here(action)) continue;
    if (!told) publish();  // the main thread looks at view() when it hears of an action
    told = true;
    callbacks_.on_action(std::move(action));
  }
}

bool ControlThread::carry_out_here(const core::Action& action) {
  if (const auto* send = std::get_if<core::SendHeartbeat>(&action)) {
    frames_->send(*send);
  } else if (const auto* probe = std::get_if<core::SendProbe>(&action)) {
    frames_->send(*probe);
  } else if (const auto* grant = std::get_if<core::GrantLease>(&action)) {
    datapath_.grant_lease(grant->vsd, grant->until, grant->alone_grace, grant->term);
  } else if (const auto* revoke = std::get_if<core::RevokeLease>(&action)) {
    datapath_.revoke_lease(revoke->vsd, revoke->drain > Duration(0) ? io::now() + revoke->drain : Instant{});
  } else if (const auto* succeed = std::get_if<core::Succeed>(&action)) {
    datapath_.set_succession(succeed->vsd, succeed->until);
  } else if (const auto* news = std::get_if<core::Announce>(&action)) {
    announce(news->vsd);
  } else {
    return false;
  }
  return true;
}

void ControlThread::announce(VsdId vsd) {
  const auto targets = targets_.find(vsd);
  if (targets == targets_.end()) return;
  for (const AnnounceTarget& target : targets->second) {
    const auto socket = announce_sockets_.find(target.ifindex);
    if (socket == announce_sockets_.end()) continue;
    for (const IpAddress& address : target.addresses) {
      ++(socket->second.send(wire::announcement(target.virtual_mac, address)) ? announced_ : announce_errors_);
    }
  }
}

void ControlThread::publish() {
  static_cast<FramesView&>(state_) = frames_->view();
  state_.frames_sent += announced_;
  state_.send_errors += announce_errors_;
  state_.active = member_ != nullptr;
  if (member_) {
    state_.vsds = member_->vsds();
    state_.peers = member_->peers();
    state_.links = member_->links();
    state_.control = member_->control_link();
    state_.data = member_->data_link();
  } else {
    state_.vsds.clear();
    state_.peers.clear();
    state_.links.clear();
    state_.control = state_.data = std::nullopt;
  }
  auto fresh = std::make_shared<const ControlView>(state_);
  {
    const std::lock_guard lock(view_mutex_);
    view_.swap(fresh);
  }
  News now = news();
  if (now == told_) return;
  told_ = std::move(now);
  callbacks_.on_change();
}

ControlThread::News ControlThread::news() const {
  News found;
  for (const core::PeerView& peer : state_.peers) {
    if (!peer.alive) continue;
    auto& states = found.states[peer.unit];
    for (const core::VsdAdvert& advert : peer.last.vsds) states.emplace_back(advert.vsd, advert.state);
  }
  for (const FrameProblem& problem : state_.problems) found.problems.emplace(problem.cause, problem.who);
  return found;
}

}  // namespace nsrp::daemon
