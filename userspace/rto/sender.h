// SPDX-License-Identifier: Apache-2.0
// The sending half of a mirror: cold syncs, changes and barriers, put on the channel in an order that leaves the
// receiver's table equal to this one.
//
// A cold sync reads the table in chunks, each asked for when the one before has gone out, so it costs the same memory
// for any size of table. A session that changes after the reading began is not taken from the snapshot any more: what
// was heard of it since is newer.
//
// A repair is a cold sync of a few buckets. Audits (rto/audit.h) take their turn when nothing else is to be told.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/time.h"
#include "rto/audit.h"
#include "rto/codec.h"
#include "rto/outbox.h"
#include "rto/vsd_set.h"

namespace nsrp::rto {

// Wanted from the owner of the table: up to `limit` records of `vsds`, from the start or where the last one ended.
struct ReadSessions {
  bool from_start;
  VsdSet vsds;
  size_t limit;
};

// The same for an audit, of all VSDs: `own` tells for which half. Every change that a record read may hold is to be
// told before its answer. limit 0: only that.
struct ReadForAudit {
  bool own;
  bool from_start;
  size_t limit;
};

// What a barrier stands for: that the peer has everything, a cold sync included, or only each change told before it.
enum class BarrierOf : uint8_t { kEverything, kChanges };

class Sender {
 public:
  static constexpr size_t kChunkSessions = 2048;
  static constexpr size_t kBatchBytes = 64 << 10;  // of one message, so that a heartbeat never waits for long

  // Of a session that has changed during a cold sync only the key is kept: there is room for more of these than of
  // changes that wait, so that a sync comes to its end beside much traffic.
  static constexpr size_t kTouchedShare = 4;

  explicit Sender(size_t max_pending) : max_pending_(max_pending) {}

  // The peer is ready to receive, from the start.
  void activate(Instant now);
  // Nobody receives any more. Returns the barriers that nobody will acknowledge.
  std::vector<uint64_t> deactivate();
  bool active() const { return active_; }

  void set_mastered(VsdSet mastered);
  void want_sync(VsdSet vsds);
  void restart_sync();  // of everything mastered, at once

  void change(const Session& session);
  void end(const EndedSession& ended);
  void snapshot_begin(uint64_t total);
  void snapshot(std::span<const Session> sessions);
  void snapshot_end();

  AuditSource& audit() { return audit_; }
  const AuditSource& audit() const { return audit_; }
  std::optional<ReadForAudit> audit_tick(Instant now);
  void audit_read(Instant now, std::span<const Session> sessions, bool at_end);
  bool audit_result(Instant now, const AuditResult& result);  // false: it names buckets there are not

  void begin_barrier(uint64_t id, BarrierOf what);
  bool acknowledge(uint64_t id);  // false: no such barrier was sent

  bool wants_write() const;
  // Appends messages of at most `room` bytes. What it returns is to be answered by snapshot…().
  std::optional<ReadSessions> write(Instant now, std::vector<uint8_t>& out, size_t room);
  // VSDs whose cold sync has gone out completely since the last call.
  VsdSet take_synced() { return std::exchange(synced_, {}); }

  size_t pending() const { return outbox_.size() + snapshot_.size(); }
  uint64_t sent() const { return sent_; }
  uint64_t ended() const { return ended_; }
  uint64_t unsendable() const { return unsendable_; }

 private:
  enum class Phase : uint8_t { kIdle, kAsked, kBegun, kRunning };
  struct PendingBarrier {
    uint64_t id;
    uint64_t mark;
    BarrierOf what;
    bool sent;
  };

  void abort_sync();
  void touch(const nsrp_tuple& key);
  bool syncing() const { return phase_ != Phase::kIdle || sync_wanted_ || repair_wanted_; }
  bool step(Instant now, std::vector<uint8_t>& out, size_t room);
  bool step_changes(std::vector<uint8_t>& out, size_t room);
  bool step_sync(std::vector<uint8_t>& out, size_t room);
  bool step_snapshot(std::vector<uint8_t>& out, size_t room);
  bool step_barrier(std::vector<uint8_t>& out, size_t room);
  std::optional<ReadSessions> next_read();
  void put(std::vector<uint8_t>& out, std::vector<Session> sessions);

  const size_t max_pending_;
  bool active_ = false;
  VsdSet mastered_;
  Outbox outbox_;
  std::vector<PendingBarrier> barriers_;

  bool sync_wanted_ = false;
  VsdSet wanted_;
  Phase phase_ = Phase::kIdle;
  VsdSet sync_vsds_;
  struct Repair {
    BucketSet filter;
    std::vector<uint32_t> buckets;
  };
  std::optional<Repair> repair_wanted_, repairing_;
  uint64_t sync_total_ = 0, sync_sent_ = 0, sync_withheld_ = 0;
  bool reading_ = false;  // a chunk was asked for
  bool read_all_ = false;
  bool snapshot_turn_ = false;  // changes and snapshot take turns: neither starves the other
  std::deque<Session> snapshot_;
  std::unordered_set<nsrp_tuple, TupleHash, TupleEqual> touched_;  // changed since the reading began
  uint64_t finish_mark_ = 0;  // behind the changes that stand for records left out of the snapshot
  VsdSet synced_;
  AuditSource audit_;

  uint64_t sent_ = 0, ended_ = 0, unsendable_ = 0;
};

}  // namespace nsrp::rto
