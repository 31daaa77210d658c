// SPDX-License-Identifier: Apache-2.0
// The mirror's view of this device: sessions as BPF and conntrack have them. Tells the mirror of changes and ends, and
// carries out what it asks for. Lives on the RTO thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "config/model.h"
#include "daemon/rto_adoption.h"
#include "daemon/rto_count.h"
#include "daemon/rto_installer.h"
#include "daemon/rto_timeouts.h"
#include "kernel/conntrack.h"
#include "kernel/datapath.h"
#include "kernel/session_table.h"
#include "rto/mirror.h"

namespace nsrp::daemon {

class RtoSessions {
 public:
  static Result<std::unique_ptr<RtoSessions>> open(const kernel::Datapath& datapath, rto::Mirror& mirror);

  int ring_fd() const { return table_->events_fd(); }
  int destroyed_fd() const { return conntrack_->destroy_fd(); }

  void set_mastered(rto::VsdSet mastered);
  bool set_no_backup(std::optional<config::NoBackupMark> mark);  // true: it is another one than before

  // Called for each session told of that a helper of conntrack reads.
  void on_helped_flow(std::function<void(const nsrp_tuple&)> helped) { helped_ = std::move(helped); }
  std::optional<VsdId> vsd_of(const nsrp_tuple& key) const;  // of a session that is mirrored
  void set_vsis(std::span<const RtoVsi> vsis) { adoption_->set_vsis(vsis); }
  // One step of what a change of mastership leaves to be done. True: there is more to do right away.
  Result<bool> adjust_timeouts();
  Result<bool> adopt_some();  // the same

  // Each tells the mirror what it finds. drain_ring() returns the number of changes.
  size_t drain_ring();
  Status sweep_dirty();  // a look at every record, when the ring was full since the last time
  Status take_destroyed();

  // What the mirror wants. install() and retry_refused() return how many sessions could not be installed for good.
  uint64_t install(const rto::Install& wanted);
  Status remove(std::span<const nsrp_tuple> keys) { return installer_->remove(keys); }
  void restate(std::span<const nsrp_tuple> keys);
  Status clear(rto::VsdSet vsds);  // every session of these
  void sync_started();
  void sync_aborted() { syncing_ = false; }
  Status sync_finished(const rto::SyncFinished& finished);
  Status read(const rto::ReadSessions& wanted);
  struct AuditStep {
    std::vector<rto::Session> sessions;
    bool at_end = false;
  };
  Result<AuditStep> read(const rto::ReadForAudit& wanted);
  // Called now and then. Not while what is stale is still there.
  uint64_t retry_refused() { return syncing_ ? 0 : installer_->retry(); }
  size_t not_installable() const { return installer_->not_installable(); }

  // Looks at some records at each call and deletes those whose conntrack entry went in silence: while no daemon ran, or
  // because it is older than the first one. True: all records there were at the beginning have been looked at.
  Result<bool> check_some();
  size_t count() const { return count_->value(created_); }  // as of the latest sweep
  Status count_some();
  // How many more sessions the tables have room for.
  size_t room();
  const std::string& last_failure() const { return installer_->last_failure(); }

 private:
  RtoSessions(const kernel::Datapath& datapath, rto::Mirror& mirror) : datapath_(datapath), mirror_(mirror) {}
  bool stays_here(const nsrp_session& session) const;
  void tell(rto::Session session);
  rto::Session as_told(rto::Session session) const;
  void note_helper(const rto::Session& session);
  void on_destroyed(const nsrp_tuple& key, Instant now, std::vector<nsrp_tuple>& ended);
  Status remove_if(const std::function<bool(const kernel::SessionEntry&)>& doomed);

  const kernel::Datapath& datapath_;
  rto::Mirror& mirror_;
  std::unique_ptr<kernel::SessionTable> table_;
  std::unique_ptr<kernel::Conntrack> conntrack_;
  std::unique_ptr<RtoInstaller> installer_;
  std::unique_ptr<RtoTimeouts> timeouts_;
  std::unique_ptr<RtoAdoption> adoption_;
  rto::VsdSet mastered_;
  std::optional<config::NoBackupMark> no_backup_;
  std::function<void(const nsrp_tuple&)> helped_ = [](const nsrp_tuple&) {};
  uint64_t ring_full_ = 0;  // the counter, when the last sweep began
  uint64_t sync_started_ns_ = 0;
  bool syncing_ = false;  // what is stale is still there
  bool began_empty_ = false;
  kernel::SessionTable::Cursor sync_cursor_, check_cursor_, own_audit_cursor_, peers_audit_cursor_;
  bool first_check_ = true;
  std::unique_ptr<SessionCount> count_;
  uint64_t created_ = 0;  // by packets: the data path's counter
};

}  // namespace nsrp::daemon
