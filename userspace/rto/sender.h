// SPDX-License-Identifier: Apache-2.0
// The sending half of a mirror: cold syncs, changes and barriers, put on the channel in an order that leaves the
// receiver's table equal to this one.
//
// A cold sync reads the table in chunks, each asked for when the one before has gone out, so it costs the same memory
// for any size of table. A session that changes after the reading began is not taken from the snapshot any more: what
// was heard of it since is newer.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <unordered_set>
#include <utility>
#include <vector>

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

class Sender {
 public:
  static constexpr size_t kChunkSessions = 2048;
  static constexpr size_t kBatchBytes = 64 << 10;  // of one message, so that a heartbeat never waits for long

  explicit Sender(size_t max_pending) : max_pending_(max_pending) {}

  // The peer is ready to receive, from the start.
  void activate();
  // Nobody receives any more. Returns the barriers that nobody will acknowledge.
  std::vector<uint64_t> deactivate();
  bool active() const { return active_; }

  void set_mastered(VsdSet mastered) { mastered_ = mastered; }
  void want_sync(VsdSet vsds);
  void restart_sync();  // of everything mastered, at once

  void change(const Session& session);
  void end(const EndedSession& ended);
  void snapshot_begin(uint64_t total);
  void snapshot(std::span<const Session> sessions);
  void snapshot_end();

  void begin_barrier(uint64_t id);
  bool acknowledge(uint64_t id);  // false: no such barrier was sent

  bool wants_write() const;
  // Appends messages of at most `room` bytes. What it returns is to be answered by snapshot…().
  std::optional<ReadSessions> write(std::vector<uint8_t>& out, size_t room);
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
    bool sent;
  };

  void abort_sync();
  void touch(const nsrp_tuple& key);
  bool step(std::vector<uint8_t>& out, size_t room);
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
  uint64_t sync_total_ = 0, sync_sent_ = 0, sync_withheld_ = 0;
  bool reading_ = false;  // a chunk was asked for
  bool read_all_ = false;
  bool snapshot_turn_ = false;  // changes and snapshot take turns: neither starves the other
  std::deque<Session> snapshot_;
  std::unordered_set<nsrp_tuple, TupleHash, TupleEqual> touched_;  // changed since the reading began
  uint64_t finish_mark_ = 0;  // behind the changes that stand for records left out of the snapshot
  VsdSet synced_;

  uint64_t sent_ = 0, ended_ = 0, unsendable_ = 0;
};

}  // namespace nsrp::rto
