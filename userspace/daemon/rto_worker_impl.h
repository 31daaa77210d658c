// SPDX-License-Identifier: Apache-2.0
// The insides of an RtoWorker: all of it lives on the RTO thread, but for the view.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "daemon/rto_sessions.h"
#include "daemon/rto_worker.h"
#include "io/loop.h"

namespace nsrp::daemon {

struct RtoWorker::Impl {
  static constexpr uint64_t kAcknowledgement = uint64_t{1} << 63;  // in the id of a barrier: made by acknowledge()

  static std::vector<std::unique_ptr<RtoClass>> make_classes();
  static std::vector<rto::ObjectRules> rules_of(const std::vector<std::unique_ptr<RtoClass>>& classes);

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
  size_t told_not_installable = 0;
  bool degraded = false;
  bool clear_on_inactive = false;
  bool peer_listens = false;
  rto::VsdSet mastered;

  mutable std::mutex view_mutex;
  RtoView view;
  std::thread thread;

  // rto_worker_actions.cc: what the mirror asks for.
  void open_channel();
  void pump();
  RtoClass* class_of(rto::ClassId id);
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
  void carry_out(rto::BarrierDone& done);
  void carry_out(rto::CloseChannel& close) { channel->close(close.reason); }

  // rto_worker_turns.cc: what the thread does by itself, again and again.
  void begin();
  void start_classes();
  void on_ring();
  void on_destroyed();
  void take_all_changes();
  void sweep();
  void check_some();
  void go_on_with(Result<bool> (RtoSessions::*step)());
  void count_some();
  void look_for_room();
  void complain(const Status& status);
  void complain_of_failed_sessions();
  void report_not_installable();
  void report_degradation(const rto::MirrorView& now);
  void publish();

  // rto_worker.cc: what other threads ask for.
  void configure_channel();
  void set_mastered(rto::VsdSet vsds);
  void resync(const std::string& name);
};

}  // namespace nsrp::daemon
