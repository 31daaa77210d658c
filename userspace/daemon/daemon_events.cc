// SPDX-License-Identifier: Apache-2.0
// What the control thread reports, turned into events and into work for the other rooms.
#include "daemon/daemon.h"
#include "daemon/status.h"
#include "io/clock.h"

namespace nsrp::daemon {

namespace {

// After the last VSD is handed over, packets that neighbours still send here cross the data link for this long.
constexpr milliseconds kDrain{300};
constexpr milliseconds kTablesInterval{1000};

std::string name_of(const config::Config& config, std::optional<core::LinkIndex> link) {
  const auto names = link_names(config);
  const auto found = link ? names.find(*link) : names.end();
  return found == names.end() ? "none" : found->second;
}

std::string outcome_of(const core::Conflict& conflict) {
  return conflict.survives ? "this device stays master and announces again" : "this device stepped down";
}

}  // namespace

void Daemon::on_action(const core::Action& action) {
  if (const auto* change = std::get_if<core::StateChanged>(&action)) {
    on_state_changed(*change);
  } else if (const auto* up = std::get_if<core::PeerUp>(&action)) {
    events_.add(EventId::k_peer_up, "peer=" + to_string(up->unit));
    refresh_peer();
  } else if (const auto* lost = std::get_if<core::PeerLost>(&action)) {
    events_.add(EventId::k_peer_lost, "peer=" + to_string(lost->unit) + " evidence=" + quote(lost->evidence));
    refresh_peer();
  } else if (const auto* kept = std::get_if<core::HandoverGivenUp>(&action)) {
    events_.add(EventId::k_handover_given_up, "vsd=" + std::to_string(kept->vsd.value) + " to=" + to_string(kept->to) +
                                                  " cause=" + quote(kept->cause));
  } else if (const auto* conflict = std::get_if<core::Conflict>(&action)) {
    events_.add(EventId::k_master_conflict, "vsd=" + std::to_string(conflict->vsd.value) +
                                                " other=" + to_string(conflict->other) +
                                                " outcome=" + quote(outcome_of(*conflict)));
  } else if (const auto* roles = std::get_if<core::LinkRolesChanged>(&action)) {
    events_.add(EventId::k_ha_link_roles,
                "control=" + name_of(config_, roles->control) + " data=" + name_of(config_, roles->data));
    refresh_peer();
  } else if (const auto* link = std::get_if<core::LinkStateChanged>(&action)) {
    events_.add(EventId::k_ha_link_state, "interface=" + name_of(config_, link->link) + " state=" +
                                              (link->alive ? "up" : "down") + " cause=" + quote(link->cause));
  } else if (const auto* probes = std::get_if<core::ProbesDone>(&action)) {
    on_probes_done(*probes);
  } else if (const auto* clear = std::get_if<core::ClearCounters>(&action)) {
    const Status cleared = datapath_->clear_counters();
    events_.add(EventId::k_counters_cleared,
                "said_to=" + to_string(clear->said_to) + (cleared ? "" : " failed=" + quote(cleared.error().message)));
  } else if (const auto* barrier = std::get_if<core::StartBarrier>(&action)) {
    on_barrier(barrier->vsd);
  } else if (std::holds_alternative<core::MayExit>(action) && stopping_) {
    loop_->call_at(io::now() + kDrain, [this] { finish_stop(); });
  }
}

void Daemon::on_state_changed(const core::StateChanged& change) {
  events_.add(EventId::k_vsd_state, "vsd=" + std::to_string(change.vsd.value) +
                                        " from=" + quote(core::to_string(change.from)) +
                                        " to=" + quote(core::to_string(change.to)) + " cause=" + quote(change.cause));
  show_vsis();
  refresh_rto();
  refresh_peer();
}

void Daemon::on_barrier(VsdId vsd) {
  std::erase_if(barriers_, [vsd](const auto& earlier) { return earlier.second == vsd; });  // of a switch given up
  const uint64_t barrier = next_barrier_++;
  barriers_[barrier] = vsd;
  rto_->begin_barrier(barrier);
}

// Addresses, states or problems of other members are not what they were.
void Daemon::on_peers_changed() {
  report_frame_problems();
  report_protection();
  refresh_peer();
}

void Daemon::report_protection() {
  const auto view = control_->view();
  std::string now = "mode=" + protection_of(*view);
  if (view->key_change) {
    std::string units;
    for (const UnitId unit : view->key_change_waits_for) units += (units.empty() ? "" : ",") + to_string(unit);
    now += " waits_for=" + units;
  }
  if (now == protection_) return;
  protection_ = now;
  events_.add(EventId::k_protection, now);
}

// One event when a device's frames begin to be dropped for a cause, one when they are no longer.
void Daemon::report_frame_problems() {
  const auto view = control_->view();
  std::map<std::pair<wire::Drop, std::string>, uint64_t> standing;
  for (const FrameProblem& problem : view->problems) {
    const auto key = std::pair(problem.cause, problem.who);
    standing[key] = problem.count;
    if (problems_.contains(key)) continue;
    events_.add(EventId::k_frame_problem, "from=" + problem.who + " cause=" + quote(wire::to_string(problem.cause)) +
                                              " problem=" + quote(problem.text));
  }
  for (const auto& [key, count] : problems_) {
    if (standing.contains(key)) continue;
    events_.add(EventId::k_frame_problem_over, "from=" + key.second + " cause=" + quote(wire::to_string(key.first)) +
                                                   " frames=" + std::to_string(count));
  }
  problems_ = std::move(standing);
}

void Daemon::report_full_tables() {
  const Result<kernel::Counters> counters = datapath_->counters();
  if (counters) {
    const FullTables::Counted counted{counters->at(NSRP_CNT_session_map_full), counters->at(NSRP_CNT_fast_map_full)};
    for (const std::string& text : full_tables_.observe(counted, io::now())) events_.add(EventId::k_table_full, text);
  }
  loop_->call_at(io::now() + kTablesInterval, [this] { report_full_tables(); });
}

void Daemon::on_recorded(const Status& written) {
  if (!written) events_.add(EventId::k_record_failed, "cause=" + quote(written.error().message));
}

}  // namespace nsrp::daemon
