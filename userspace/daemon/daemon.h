// SPDX-License-Identifier: Apache-2.0
// nsrpd's main thread: owns the configuration and everything it is applied to, answers commands, follows the links.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "config/language.h"
#include "daemon/applier.h"
#include "daemon/control_thread.h"
#include "daemon/defer_worker.h"
#include "daemon/event_log.h"
#include "daemon/full_tables.h"
#include "daemon/options.h"
#include "daemon/plan.h"
#include "daemon/record_file.h"
#include "daemon/rto_worker.h"
#include "io/control_socket.h"
#include "io/loop.h"
#include "kernel/path_watch.h"

namespace nsrp::daemon {

class Daemon {
 public:
  // Everything that can be refused is refused here, before anything of the system is changed.
  static Result<std::unique_ptr<Daemon>> create(Options options);
  ~Daemon();

  void run();  // returns after an orderly stop

 private:
  struct Answer {
    int exit = 0;
    std::string out, err;
  };
  using Done = std::function<void(Answer)>;

  Daemon(Options options, uint64_t boot_epoch) : options_(std::move(options)), boot_epoch_(boot_epoch) {}

  // daemon.cc: life
  Status start();
  ControlCallbacks control_callbacks();
  Status load_config();
  void adopt_earlier_run();
  void finish_upgrade();
  std::string applied_file() const { return options_.run_dir + "/applied.conf"; }
  Status watch_signals();
  void on_signal();
  Status start_rto();
  void stop_threads();
  void begin_stop();
  void finish_stop();
  void check_forwarding();

  // daemon_config.cc: what a configuration or a link change leads to
  Status refresh_links();
  Status apply_config(const config::Config& wanted);
  Status apply_to_kernel(const config::Config& wanted);
  bool masters(VsdId vsd) const;
  std::set<VsdId> down_vsds(const config::Config& wanted) const;
  void show_vsis();
  Result<std::shared_ptr<const wire::Keys>> keys_for(const config::Config& wanted) const;
  void feed_keys(std::shared_ptr<const wire::Keys> keys);
  void feed_control_thread();
  std::vector<ControlLink> control_links() const;
  void feed_links();
  void on_links_changed();
  void evaluate_monitors();

  // daemon_fast_path.cc: what XDP may forward by itself, and when what it has learned is void
  void refresh_fast_path();
  kernel::FastPath wanted_fast_path();
  Status watch_paths(bool on);
  void on_paths_changed();

  // daemon_peers.cc: with whom this device mirrors and forwards
  void refresh_peer();
  const core::PeerView* partner(const ControlView& view) const;
  std::optional<RtoPeer> rto_peer(const ControlView& view, const core::PeerView& peer) const;
  void refresh_data_link(const ControlView& view, const core::PeerView* partner);
  void report_data_link_mtu();
  void refresh_rto();
  void refresh_defer(const std::set<VsdId>& mastered);
  void compare_checksums();

  // daemon_events.cc: what the control and RTO threads report
  void on_action(const core::Action& action);
  void on_state_changed(const core::StateChanged& change);
  void on_barrier(VsdId vsd);
  void on_peers_changed();
  void report_frame_problems();
  void report_full_tables();
  void report_protection();
  void on_recorded(const Status& written);

  // daemon_commands.cc
  void answer(const std::string& line, const io::ControlServer::Reply& reply);
  void execute(const config::Command& command, bool json, const Done& done);
  Answer change_config(const config::Command& command);
  Answer save_config();
  Answer reload_config();
  void execute_mode(const config::Command& command, const Done& done);

  // daemon_probe.cc: `exec nsrp probe`
  void execute_probe(const config::Command& command, bool json, const Done& done);
  void on_probes_done(const core::ProbesDone& result);
  void refuse_probes(const std::string& reason);

  Answer show(const config::Command& command, bool json);

  Options options_;
  const uint64_t boot_epoch_;
  EventLog events_;
  io::Fd lock_;
  std::unique_ptr<io::Loop> loop_;
  std::unique_ptr<kernel::Datapath> datapath_;
  std::unique_ptr<kernel::Network> network_;
  std::unique_ptr<Applier> applier_;
  std::unique_ptr<RecordFile> record_;
  std::unique_ptr<ControlThread> control_;
  std::unique_ptr<DeferWorker> defer_;
  std::unique_ptr<RtoWorker> rto_;
  std::unique_ptr<io::ControlServer> server_;
  io::Fd signals_;
  io::Watch signal_watch_, network_watch_;

  config::Config config_;
  config::Config saved_config_;
  LinksByName links_;
  std::shared_ptr<const wire::Keys> keys_;  // of config_'s passwords
  bool keys_fed_ = false;
  UnitId unit_;
  Instant started_;
  bool stopping_ = false;
  bool operable_ = true;
  unsigned monitor_sum_ = 0;
  std::optional<bool> checksum_matches_;
  std::set<UnitId> differing_;  // members whose configuration has another checksum
  std::optional<kernel::DataLink> data_link_;
  std::string too_large_;  // interfaces whose packets do not fit it: the operator has been told
  Instant data_link_kept_until_;
  std::optional<RtoPeer> rto_peer_;
  std::map<core::LinkIndex, std::function<void(const core::ProbesDone*, const std::string& refusal)>> probing_;
  std::string protection_ = "mode=none";                             // the operator has been told of it
  std::map<std::pair<wire::Drop, std::string>, uint64_t> problems_;  // the operator has been told of them
  FullTables full_tables_;
  std::vector<std::string> missing_;
  std::set<VsdId> down_;  // those whose VSIs the kernel shows as down
  io::Loop::TimerId link_local_timer_ = 0;
  kernel::FastPath fast_path_;
  std::unique_ptr<kernel::PathWatch> path_watch_;  // while the fast path is on
  std::vector<io::Watch> path_watches_;
  Instant permits_voided_;
  io::Loop::TimerId void_permits_timer_ = 0;
  uint64_t next_barrier_ = 1;
  std::map<uint64_t, VsdId> barriers_;
};

}  // namespace nsrp::daemon
