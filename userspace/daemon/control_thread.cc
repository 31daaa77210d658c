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
  links_.clear();  // watches end on the thread of their loop
}

void ControlThread::set_settings(std::optional<core::MemberSettings> settings, ClusterId cluster,
                                 uint64_t config_checksum) {
  loop_->post([this, settings = std::move(settings), cluster, config_checksum] {
    cluster_ = cluster;
    config_checksum_ = config_checksum;
    apply_settings(settings);
  });
}

void ControlThread::apply_settings(std::optional<core::MemberSettings> settings) {
  if (!settings) {
    if (member_) carry_out(member_->begin_leave(io::now()));
    for (const core::VsdView& vsd : state_.vsds) datapath_.revoke_lease(vsd.settings.id);
    member_.reset();
    state_.peer_addresses.clear();
    state_.peer_checksums.clear();
  } else if (!member_) {
    create_member(std::move(*settings));
  } else {
    settings_ = *settings;
    carry_out(member_->on_settings(io::now(), std::move(*settings)));
  }
  schedule();
  publish();
}

void ControlThread::create_member(core::MemberSettings settings) {
  settings_ = settings;
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
  member_ = std::make_unique<core::Member>(std::move(settings), now, boot_epoch_, adopted);
  for (const auto& [index, open] : links_) {
    if (index != core::kSecondaryPath) carry_out(member_->on_link(now, index, open.link.facts));
  }
  carry_out(member_->start(now));
}

void ControlThread::set_links(std::vector<ControlLink> links) {
  loop_->post([this, links = std::move(links)] {
    std::map<core::LinkIndex, bool> wanted;
    for (const ControlLink& link : links) {
      wanted[link.index] = true;
      open_link(link);
    }
    for (auto it = links_.begin(); it != links_.end();) {
      const core::LinkIndex index = it->first;
      if (wanted.contains(index)) {
        ++it;
        continue;
      }
      it = links_.erase(it);
      if (member_ && index != core::kSecondaryPath) carry_out(member_->on_link(io::now(), index, {}));
    }
    schedule();
    publish();
  });
}

void ControlThread::open_link(const ControlLink& wanted) {
  OpenLink& open = links_[wanted.index];
  const bool same_interface = open.socket && open.link.ifindex == wanted.ifindex;
  if (same_interface && open.link == wanted) return;
  if (!same_interface) {
    open.watch = io::Watch();
    open.socket.reset();
    Result<io::LinkSocket> socket = io::LinkSocket::open(wanted.ifindex, wire::kEtherType);
    if (socket) {
      open.socket.emplace(std::move(*socket));
      open.watch =
          loop_->watch(open.socket->fd(), io::Loop::kReadable, [this, index = wanted.index] { receive(index); });
    }
  }
  open.link = wanted;
  if (member_ && wanted.index != core::kSecondaryPath) carry_out(member_->on_link(io::now(), wanted.index, wanted.facts));
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
  loop_->post([this, in_sync, rto_peer] {
    if (member_) carry_out(member_->on_sync(io::now(), in_sync, rto_peer));
    schedule();
    publish();
  });
}

void ControlThread::set_health(std::optional<VsdId> vsd, bool operable, std::string reason) {
  loop_->post([this, vsd, operable, reason = std::move(reason)] {
    if (member_) carry_out(member_->on_health(io::now(), vsd, operable, reason));
    schedule();
    publish();
  });
}

void ControlThread::barrier_done(VsdId vsd) {
  loop_->post([this, vsd] {
    if (member_) carry_out(member_->on_barrier_done(io::now(), vsd));
    schedule();
    publish();
  });
}

void ControlThread::begin_leave() {
  loop_->post([this] {
    if (!member_) {
      callbacks_.on_action(core::MayExit{});
      return;
    }
    carry_out(member_->begin_leave(io::now()));
    schedule();
    publish();
  });
}

void ControlThread::command(VsdId vsd, core::ModeCommand mode, std::function<void(Status)> done) {
  loop_->post([this, vsd, mode, done = std::move(done)] {
    if (!member_) {
      done(fail("this device is in no cluster; use \"set nsrp cluster id <1-7>\" first"));
      return;
    }
    Result<core::Actions> actions = member_->on_command(io::now(), vsd, mode);
    if (!actions) {
      done(fail(actions.error()));
      return;
    }
    carry_out(std::move(*actions));
    schedule();
    publish();
    done({});
  });
}

std::shared_ptr<const ControlView> ControlThread::view() const {
  const std::lock_guard lock(view_mutex_);
  return view_;
}

void ControlThread::receive(core::LinkIndex index) {
  const auto open = links_.find(index);
  if (open == links_.end() || !open->second.socket) return;
  open->second.socket->receive([this, index](std::span<const uint8_t> bytes) { on_frame(index, bytes); });
  schedule();
  publish();
}

void ControlThread::on_frame(core::LinkIndex index, std::span<const uint8_t> bytes) {
  if (!member_) return;
  const auto frame = wire::decode(bytes, cluster_, settings_.unit);
  if (!frame) {
    ++state_.drops[static_cast<size_t>(frame.error())];
    return;
  }
  ++state_.frames_received;
  const Instant now = io::now();
  heard_on_[index] = now;
  const UnitId unit = frame->heartbeat.unit;
  PeerAddress& known = state_.peer_addresses[unit][index];
  uint64_t& checksum = state_.peer_checksums[unit];
  const bool news =
      known.mac != frame->source || known.link_local != frame->link_local || checksum != frame->config_checksum;
  known = {frame->source, frame->link_local};
  checksum = frame->config_checksum;
  carry_out(member_->on_heartbeat(now, index, frame->link, frame->heartbeat));
  if (news) {
    publish();
    callbacks_.on_change();
  }
}

void ControlThread::on_deadline() {
  timer_ = 0;
  const Instant now = io::now();
  state_.worst_lateness = std::max(state_.worst_lateness, now - deadline_);
  if (member_) carry_out(member_->on_time(now));
  schedule();
  publish();
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
    send_heartbeat(send->heartbeat);
  } else if (const auto* grant = std::get_if<core::GrantLease>(&action)) {
    datapath_.grant_lease(grant->vsd, grant->until, grant->alone_grace, grant->term);
  } else if (const auto* revoke = std::get_if<core::RevokeLease>(&action)) {
    datapath_.revoke_lease(revoke->vsd);
  } else if (const auto* news = std::get_if<core::Announce>(&action)) {
    announce(news->vsd);
  } else {
    return false;
  }
  return true;
}

void ControlThread::send_heartbeat(const core::Heartbeat& heartbeat) {
  const bool secondary = secondary_path_needed();
  for (const auto& [index, open] : links_) {
    if (!open.socket || (index == core::kSecondaryPath && !secondary)) continue;
    const wire::HeartbeatFrame frame{open.link.mac, cluster_, index, open.link.link_local, config_checksum_, heartbeat};
    ++(open.socket->send(wire::encode(frame)) ? state_.frames_sent : state_.send_errors);
  }
}

// The secondary path speaks as soon as the HA links have missed one heartbeat, well before the peer would be declared
// dead for their silence.
bool ControlThread::secondary_path_needed() const {
  const Instant since = io::now() - settings_.hb_interval * 3 / 2;
  return std::none_of(heard_on_.begin(), heard_on_.end(),
                      [since](const auto& heard) { return heard.first != core::kSecondaryPath && heard.second > since; });
}

void ControlThread::announce(VsdId vsd) {
  const auto targets = targets_.find(vsd);
  if (targets == targets_.end()) return;
  for (const AnnounceTarget& target : targets->second) {
    const auto socket = announce_sockets_.find(target.ifindex);
    if (socket == announce_sockets_.end()) continue;
    for (const IpAddress& address : target.addresses) {
      ++(socket->second.send(wire::announcement(target.virtual_mac, address)) ? state_.frames_sent
                                                                              : state_.send_errors);
    }
  }
}

void ControlThread::publish() {
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
  const std::lock_guard lock(view_mutex_);
  view_.swap(fresh);
}

}  // namespace nsrp::daemon
