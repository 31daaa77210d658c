// SPDX-License-Identifier: Apache-2.0
#include "rto/sender.h"

#include <algorithm>
#include <utility>

namespace nsrp::rto {
namespace {

constexpr size_t kSyncBeginMessage = kHeaderBytes + 16;
constexpr size_t kSyncEndMessage = kHeaderBytes + 16;
constexpr size_t kNumberMessage = kHeaderBytes + 8;

}  // namespace

void Sender::activate(Instant now) {
  active_ = true;
  audit_.schedule(now);
  restart_sync();
}

std::vector<uint64_t> Sender::deactivate() {
  active_ = false;
  abort_sync();
  sync_wanted_ = false;
  wanted_ = {};
  repair_wanted_.reset();
  synced_ = {};
  audit_.stop();
  outbox_.clear();
  std::vector<uint64_t> ids;
  for (const PendingBarrier& barrier : std::exchange(barriers_, {})) ids.push_back(barrier.id);
  return ids;
}

void Sender::abort_sync() {
  phase_ = Phase::kIdle;
  reading_ = read_all_ = false;
  repairing_.reset();
  snapshot_.clear();
  touched_.clear();
}

void Sender::set_mastered(VsdSet mastered) {
  if (mastered != mastered_) audit_.give_up();
  mastered_ = mastered;
}

void Sender::want_sync(VsdSet vsds) {
  if (!active_) return;
  audit_.give_up();
  sync_wanted_ = true;
  wanted_ = wanted_ | vsds;
}

void Sender::restart_sync() {
  if (!active_) return;
  abort_sync();
  repair_wanted_.reset();
  want_sync(mastered_);
}

void Sender::touch(const nsrp_tuple& key) {
  if (phase_ != Phase::kIdle) touched_.insert(key);
  if (outbox_.size() <= max_pending_ && touched_.size() <= kTouchedShare * max_pending_) return;
  // More changes than a cold sync is worth. What they said is in the table, which the new sync reads.
  outbox_.clear();
  for (PendingBarrier& barrier : barriers_) barrier.what = BarrierOf::kEverything;
  restart_sync();
}

void Sender::change(const Session& session) {
  if (!active_ || !mastered_.contains(VsdId{session.session.vsd})) return;
  if (!is_valid(session)) {
    ++unsendable_;
    return;
  }
  outbox_.put(session);
  touch(session.key);
}

void Sender::end(const EndedSession& ended) {
  if (!active_ || !mastered_.contains(ended.vsd) || !is_valid(ended.key)) return;
  outbox_.end(ended);
  touch(ended.key);
}

void Sender::snapshot_begin(uint64_t total) {
  if (phase_ != Phase::kAsked) return;
  sync_total_ = total;
  phase_ = Phase::kBegun;
}

void Sender::snapshot(std::span<const Session> sessions) {
  if (phase_ != Phase::kBegun && phase_ != Phase::kRunning) return;
  reading_ = false;
  for (const Session& session : sessions) {
    if (!sync_vsds_.contains(VsdId{session.session.vsd})) continue;
    if (repairing_ && !repairing_->filter.contains(session.key)) continue;
    if (touched_.contains(session.key) || outbox_.contains(session.key)) {
      // The change is not older than the record, for every change is told; it must reach the peer inside this sync.
      finish_mark_ = outbox_.mark();
    } else if (is_valid(session)) {
      snapshot_.push_back(session);
    } else {
      ++unsendable_;
      ++sync_withheld_;
    }
  }
}

void Sender::snapshot_end() {
  if (phase_ != Phase::kBegun && phase_ != Phase::kRunning) return;
  reading_ = false;
  read_all_ = true;
}

void Sender::begin_barrier(uint64_t id, BarrierOf what) {
  barriers_.push_back({id, outbox_.mark(), what, false});
}

bool Sender::acknowledge(uint64_t id) {
  const auto found = std::find_if(barriers_.begin(), barriers_.end(),
                                  [&](const PendingBarrier& barrier) { return barrier.sent && barrier.id == id; });
  if (found == barriers_.end()) return false;
  barriers_.erase(found);
  return true;
}

std::optional<ReadForAudit> Sender::audit_tick(Instant now) {
  switch (audit_.tick(now, active_ && !syncing(), mastered_, sync_total_)) {
    case AuditSource::Wish::kNothing:
      break;
    case AuditSource::Wish::kReadFromStart:
      return ReadForAudit{true, true, kAuditChunk};
    case AuditSource::Wish::kRead:
      return ReadForAudit{true, false, kAuditChunk};
    case AuditSource::Wish::kDrain:
      return ReadForAudit{true, false, 0};
  }
  return std::nullopt;
}

void Sender::audit_read(Instant now, std::span<const Session> sessions, bool at_end) {
  // A change that nobody has been told of yet may be in the record already.
  for (const Session& session : sessions) {
    if ((session.session.flags & NSRP_SESSION_DIRTY) != 0) change(session);
  }
  audit_.read(now, sessions, at_end, outbox_.mark());
}

bool Sender::audit_result(Instant now, const AuditResult& result) {
  if (!audit_.take(now, result) || result.differing.empty() || syncing()) return true;
  if (!audit_.has(result.differing)) return false;
  repair_wanted_.emplace(Repair{BucketSet(audit_.bits()), result.differing});
  for (const uint32_t bucket : result.differing) repair_wanted_->filter.insert(bucket);
  return true;
}

bool Sender::wants_write() const {
  const auto unsent = [](const PendingBarrier& barrier) { return !barrier.sent; };
  return active_ && (syncing() || !outbox_.empty() || audit_.wants_write(outbox_.passed(audit_.mark())) ||
                     std::any_of(barriers_.begin(), barriers_.end(), unsent));
}

std::optional<ReadSessions> Sender::write(Instant now, std::vector<uint8_t>& out, size_t room) {
  if (!active_) return std::nullopt;
  size_t left = room;
  while (phase_ != Phase::kAsked) {
    const size_t before = out.size();
    if (!step(now, out, std::min(left, kBatchBytes))) break;
    left -= out.size() - before;
  }
  return left > 0 ? next_read() : std::nullopt;
}

std::optional<ReadSessions> Sender::next_read() {
  if (phase_ == Phase::kIdle && sync_wanted_) {
    sync_wanted_ = false;
    sync_vsds_ = std::exchange(wanted_, {}) & mastered_;
    phase_ = Phase::kAsked;
    sync_withheld_ = 0;
    return ReadSessions{true, sync_vsds_, kChunkSessions};
  }
  if (phase_ == Phase::kIdle && repair_wanted_) {
    repairing_ = std::exchange(repair_wanted_, std::nullopt);
    sync_vsds_ = mastered_;
    phase_ = Phase::kAsked;
    sync_withheld_ = 0;
    return ReadSessions{true, sync_vsds_, kChunkSessions};
  }
  if (phase_ == Phase::kRunning && !reading_ && !read_all_ && snapshot_.empty()) {
    reading_ = true;
    return ReadSessions{false, sync_vsds_, kChunkSessions};
  }
  return std::nullopt;
}

bool Sender::step(Instant now, std::vector<uint8_t>& out, size_t room) {
  if (step_barrier(out, room)) return true;
  snapshot_turn_ = !snapshot_turn_;
  const bool told = snapshot_turn_ ? step_sync(out, room) || step_changes(out, room)
                                   : step_changes(out, room) || step_sync(out, room);
  return told || audit_.write(now, out, room, outbox_.passed(audit_.mark()));
}

bool Sender::step_barrier(std::vector<uint8_t>& out, size_t room) {
  if (room < kNumberMessage) return false;
  for (PendingBarrier& barrier : barriers_) {
    if (barrier.sent || !outbox_.passed(barrier.mark)) continue;
    if (barrier.what == BarrierOf::kEverything && syncing()) continue;
    barrier.sent = true;
    append(out, Barrier{barrier.id});
    return true;
  }
  return false;
}

bool Sender::step_changes(std::vector<uint8_t>& out, size_t room) {
  // What waits when a sync was read must reach the peer inside that sync: see snapshot().
  if (phase_ == Phase::kBegun) return false;
  Outbox::Batch batch = outbox_.take(room);
  const bool any = !batch.ends.empty() || !batch.puts.empty();
  if (!batch.ends.empty()) {
    ended_ += batch.ends.size();
    append(out, SessionEnd{std::move(batch.ends)});
  }
  if (!batch.puts.empty()) put(out, std::move(batch.puts));
  return any;
}

bool Sender::step_sync(std::vector<uint8_t>& out, size_t room) {
  if (phase_ == Phase::kRunning) return step_snapshot(out, room);
  if (phase_ != Phase::kBegun) return false;
  if (repairing_) {
    if (room < kHeaderBytes + kRepairHeadBytes + repairing_->buckets.size() * sizeof(uint32_t)) return false;
    append(out, RepairBegin{static_cast<uint8_t>(repairing_->filter.bits()), sync_vsds_, repairing_->buckets});
  } else {
    if (room < kSyncBeginMessage) return false;
    append(out, SyncBegin{sync_total_, sync_vsds_});
  }
  sync_sent_ = 0;
  phase_ = Phase::kRunning;
  return true;
}

bool Sender::step_snapshot(std::vector<uint8_t>& out, size_t room) {
  std::vector<Session> batch;
  while (!snapshot_.empty() && kHeaderBytes + (batch.size() + 1) * kSessionBytes <= room) {
    if (touched_.contains(snapshot_.front().key)) {
      finish_mark_ = outbox_.mark();
    } else {
      batch.push_back(snapshot_.front());
    }
    snapshot_.pop_front();
  }
  if (!batch.empty()) {
    put(out, std::move(batch));
    return true;
  }
  const bool finished = read_all_ && snapshot_.empty() && outbox_.passed(finish_mark_);
  if (!finished || room < kSyncEndMessage) return false;
  append(out, SyncEnd{sync_sent_, sync_withheld_});
  if (repairing_) {
    audit_.repaired(repairing_->buckets.size());
  } else {
    synced_ = synced_ | sync_vsds_;
  }
  abort_sync();
  return true;
}

void Sender::put(std::vector<uint8_t>& out, std::vector<Session> sessions) {
  sent_ += sessions.size();
  sync_sent_ += sessions.size();
  append(out, SessionPut{std::move(sessions)});
}

}  // namespace nsrp::rto
