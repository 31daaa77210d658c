// SPDX-License-Identifier: Apache-2.0
// The thread of heartbeats: runs core::Member over the HA links, renews leases, announces. SCHED_FIFO, locked memory;
// it does nothing that can block, and hands everything else to the main thread by callbacks.
//
// All functions may be called from any thread; they take effect in order on the control thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/member.h"
#include "daemon/ha_frames.h"
#include "daemon/plan.h"
#include "golden/recorder.h"
#include "io/link_socket.h"
#include "io/loop.h"
#include "kernel/datapath.h"

namespace nsrp::daemon {

struct ControlView : FramesView {
  bool active = false;  // in a cluster
  std::vector<core::VsdView> vsds;
  std::vector<core::PeerView> peers;
  std::map<core::LinkIndex, core::LinkView> links;
  std::optional<core::LinkIndex> control, data;
  Duration worst_lateness{0};  // of the heartbeat timer
};

struct ControlCallbacks {                       // called on the control thread
  std::function<void(core::Action)> on_action;  // what the main thread must know or do
  // view() has news that no action tells: addresses and states of peers, problems with frames
  std::function<void()> on_change;
  // For a recording; may be empty.
  std::function<void(golden::Beginning)> on_member;
  std::function<void(Instant, golden::Input, Result<core::Actions>)> on_told;
};

class ControlThread {
 public:
  static Result<std::unique_ptr<ControlThread>> start(kernel::Datapath& datapath, uint64_t boot_epoch,
                                                      ControlCallbacks callbacks);
  ~ControlThread();

  bool realtime() const { return realtime_; }

  // nullopt: in no cluster. Joining creates a Member that adopts leases left by an earlier run.
  void set_settings(std::optional<core::MemberSettings> settings, ClusterId cluster, uint64_t config_checksum);
  // Before set_settings(), so that no frame leaves without them.
  void set_keys(std::shared_ptr<const wire::Keys> keys);
  void set_links(std::vector<ControlLink> links);
  void set_announce_targets(std::map<VsdId, std::vector<AnnounceTarget>> targets);
  void set_sync(bool in_sync, UnitId rto_peer);
  void set_health(std::optional<VsdId> vsd, bool operable, std::string reason);
  void barrier_done(VsdId vsd);
  void begin_leave();  // MayExit follows
  void clear_counters_everywhere();
  // `done` is called on the control thread.
  void command(VsdId vsd, core::ModeCommand mode, std::function<void(Status)> done);
  void probe(core::LinkIndex link, std::optional<MacAddress> to, uint8_t count,
             std::function<void(Status)> done);  // done: accepted, ProbesDone follows; or refused

  std::shared_ptr<const ControlView> view() const;

 private:
  ControlThread(kernel::Datapath& datapath, uint64_t boot_epoch, ControlCallbacks callbacks)
      : datapath_(datapath), boot_epoch_(boot_epoch), callbacks_(std::move(callbacks)) {}

  void run();
  void post(golden::Input input);
  void order(golden::Input input, std::function<void(Status)> done);
  Status tell(const golden::Input& input);
  void settle();
  void apply_settings(std::optional<core::MemberSettings> settings);
  void create_member(core::MemberSettings settings);
  HaFrames::Handlers frame_handlers();
  void on_deadline();
  void carry_out(core::Actions actions);
  bool carry_out_here(const core::Action& action);  // false: the main thread's
  void announce(VsdId vsd);
  void schedule();
  void publish();

  kernel::Datapath& datapath_;
  const uint64_t boot_epoch_;
  const ControlCallbacks callbacks_;
  std::unique_ptr<io::Loop> loop_;
  std::thread thread_;
  bool realtime_ = false;

  // Below: the control thread's own.
  std::unique_ptr<core::Member> member_;
  std::unique_ptr<HaFrames> frames_;
  std::map<VsdId, std::vector<AnnounceTarget>> targets_;
  std::map<IfIndex, io::LinkSocket> announce_sockets_;
  io::Loop::TimerId timer_ = 0;
  Instant deadline_;
  ControlView state_;  // without what frames_ tells
  uint64_t announced_ = 0, announce_errors_ = 0;

  // What on_change was last called for.
  struct News {
    std::map<UnitId, std::vector<std::pair<VsdId, core::VsdState>>> states;  // of living peers
    std::set<std::pair<wire::Drop, std::string>> problems;
    bool operator==(const News&) const = default;
  };
  News news() const;
  News told_;

  // Held only to copy the pointer, so that a reader can never keep the heartbeat waiting.
  mutable std::mutex view_mutex_;
  std::shared_ptr<const ControlView> view_ = std::make_shared<ControlView>();
};

}  // namespace nsrp::daemon
