// SPDX-License-Identifier: Apache-2.0
// The mirror's view of this device: sessions as BPF and conntrack have them. Tells the mirror of changes and ends, and
// carries out what it asks for. Lives on the RTO thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "kernel/conntrack.h"
#include "kernel/datapath.h"
#include "kernel/session_table.h"
#include "rto/mirror.h"

namespace nsrp::daemon {

class RtoSessions {
 public:
  // A peer's session lives at least this long here, whatever the peer's timer says: its next packet may pass here.
  static constexpr uint32_t kMinTimeoutSeconds = 600;

  static Result<std::unique_ptr<RtoSessions>> open(const kernel::Datapath& datapath, rto::Mirror& mirror);

  int ring_fd() const { return table_->events_fd(); }
  int destroyed_fd() const { return conntrack_->destroy_fd(); }

  void set_mastered(rto::VsdSet mastered) { mastered_ = mastered; }

  // Each tells the mirror what it finds. drain_ring() returns the number of changes.
  size_t drain_ring();
  Status sweep_dirty();  // a look at every record, when the ring was full since the last time
  Status take_destroyed();

  // What the mirror wants. Failures of single sessions are counted in failed().
  void install(const rto::Install& wanted);
  Status remove(std::span<const nsrp_tuple> keys);
  void restate(std::span<const nsrp_tuple> keys);
  void sync_started();
  void sync_aborted() { syncing_ = false; }
  Status sync_finished(rto::VsdSet vsds);
  Status read(const rto::ReadSessions& wanted);
  // Conntrack refuses an entry while a flow that has ended at the peer still holds its tuple here (a NAT port given to
  // the next client). Called now and then, it tries once more.
  void retry_refused();

  // Deletes records left by an earlier run whose conntrack entry has gone since, some at each call; false: no more.
  Result<bool> check_adopted();
  Result<size_t> count() const { return table_->count(); }
  uint64_t failed() const { return failed_; }
  const std::string& last_failure() const { return last_failure_; }

 private:
  RtoSessions(const kernel::Datapath& datapath, rto::Mirror& mirror) : datapath_(datapath), mirror_(mirror) {}
  void on_destroyed(const nsrp_tuple& key, Instant now, std::vector<nsrp_tuple>& ended);
  uint64_t install_all(std::vector<rto::Session> sessions);
  Status remove_stale(rto::VsdSet vsds);
  size_t install_in_conntrack(const std::vector<rto::Session>& sessions);

  const kernel::Datapath& datapath_;
  rto::Mirror& mirror_;
  std::unique_ptr<kernel::SessionTable> table_;
  std::unique_ptr<kernel::Conntrack> conntrack_;
  rto::VsdSet mastered_;
  uint64_t ring_full_ = 0;  // the counter, when the last sweep began
  uint64_t sync_started_ns_ = 0;
  bool syncing_ = false;  // what is stale is still there
  std::vector<rto::Session> refused_;
  std::vector<rto::Session> snapshot_;
  size_t snapshot_read_ = 0;
  std::vector<nsrp_tuple> adopted_;
  uint64_t failed_ = 0;
  std::string last_failure_;
};

}  // namespace nsrp::daemon
