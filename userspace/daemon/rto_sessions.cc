// SPDX-License-Identifier: Apache-2.0
#include "daemon/rto_sessions.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "io/clock.h"

namespace nsrp::daemon {
namespace {

// An entry that was used as recently did not time out: it was deleted by hand, or its tuple has been taken over by a
// new flow (a client that reuses its port).
constexpr seconds kRecently{5};
constexpr size_t kAdoptedPerCall = 100;
constexpr size_t kMaxRefused = 1 << 16;

bool contains(rto::VsdSet set, const nsrp_session& session) {
  return set.contains(VsdId{session.vsd});
}

}  // namespace

Result<std::unique_ptr<RtoSessions>> RtoSessions::open(const kernel::Datapath& datapath, rto::Mirror& mirror) {
  std::unique_ptr<RtoSessions> self(new RtoSessions(datapath, mirror));
  auto table = kernel::SessionTable::open(datapath);
  if (!table) return fail(table.error());
  auto conntrack = kernel::Conntrack::open();
  if (!conntrack) return fail(conntrack.error());
  self->table_ = std::move(*table);
  self->conntrack_ = std::move(*conntrack);
  const Status read = self->table_->for_each([&](std::span<const kernel::SessionEntry> entries) {
    for (const kernel::SessionEntry& entry : entries) self->adopted_.push_back(entry.key);
  });
  if (!read) return fail(read.error());
  return self;
}

size_t RtoSessions::drain_ring() {
  return table_->consume_events([this](const kernel::SessionEntry& entry) { mirror_.on_local_session(entry); });
}

Status RtoSessions::sweep_dirty() {
  const Result<kernel::Counters> counters = datapath_.counters();
  if (!counters) return fail(counters.error());
  const uint64_t ring_full = counters->at(NSRP_CNT_session_ring_full);
  if (ring_full == ring_full_) return {};
  ring_full_ = ring_full;
  const auto dirty = table_->take_dirty();
  if (!dirty) return fail(dirty.error());
  for (const kernel::SessionEntry& entry : *dirty) mirror_.on_local_session(entry);
  return {};
}

Status RtoSessions::take_destroyed() {
  // Changes in the ring are older than the ends heard of now; told after them they would bring the dead back.
  drain_ring();
  std::vector<nsrp_tuple> destroyed, ended;
  conntrack_->consume_destroyed([&](const nsrp_tuple& key) { destroyed.push_back(key); });
  const Instant now = io::now();
  for (const nsrp_tuple& key : destroyed) on_destroyed(key, now, ended);
  return ended.empty() ? Status{} : table_->remove(ended);
}

void RtoSessions::on_destroyed(const nsrp_tuple& key, Instant now, std::vector<nsrp_tuple>& ended) {
  const std::optional<nsrp_session> record = table_->find(key);
  if (!record) return;
  const bool recently = record->last_seen_ns + to_ns(Duration(kRecently)) > to_ns(now);
  const bool mastered = contains(mastered_, *record);
  if (recently && conntrack_->exists(key).value_or(false)) {
    if (!mastered) return;
    mirror_.on_local_end({key, VsdId{record->vsd}});
    mirror_.on_local_session({key, *record});
    return;
  }
  ended.push_back(key);
  if (mastered) mirror_.on_local_end({key, VsdId{record->vsd}});
}

void RtoSessions::install(const rto::Install& wanted) {
  std::vector<rto::Session> sessions;
  for (const rto::Session& session : wanted.sessions) {
    if (!wanted.only_missing || !table_->find(session.key)) sessions.push_back(session);
  }
  const uint64_t failed = sessions.empty() ? 0 : install_all(sessions);
  failed_ += failed;
  if (wanted.only_missing) {
    for (const rto::Session& session : sessions) mirror_.on_local_session(session);
  }
  mirror_.on_installed(failed);
}

uint64_t RtoSessions::install_all(std::vector<rto::Session> sessions) {
  const uint64_t now = to_ns(io::now());
  for (rto::Session& session : sessions) {
    const std::optional<nsrp_session> present = table_->find(session.key);
    session.session.flags = NSRP_SESSION_FROM_PEER;
    session.session.created_ns = present ? present->created_ns : now;
    session.session.last_seen_ns = session.session.exported_ns = now;
  }
  const Result<size_t> stored = table_->put(sessions);
  if (!stored) last_failure_ = stored.error().message;
  if (stored && *stored < sessions.size()) last_failure_ = "the session table is full";
  const size_t not_stored = sessions.size() - stored.value_or(0);
  if (install_in_conntrack(sessions) == sessions.size()) return not_stored;
  if (refused_.size() + sessions.size() > kMaxRefused) return sessions.size();
  refused_.insert(refused_.end(), sessions.begin(), sessions.end());
  return not_stored;
}

size_t RtoSessions::install_in_conntrack(const std::vector<rto::Session>& sessions) {
  const Result<kernel::InsertResult> installed = conntrack_->install(sessions, kMinTimeoutSeconds);
  if (!installed) {
    last_failure_ = installed.error().message;
    return 0;
  }
  if (installed->failed > 0) {
    last_failure_ = "conntrack refused them: " + std::string(std::strerror(installed->last_errno));
  }
  return installed->installed;
}

void RtoSessions::retry_refused() {
  if (refused_.empty() || syncing_) return;
  std::vector<rto::Session> sessions;
  for (const rto::Session& session : std::exchange(refused_, {})) {
    const std::optional<nsrp_session> present = table_->find(session.key);
    if (present && present->generation == session.session.generation) sessions.push_back(session);
  }
  const uint64_t failed = sessions.size() - install_in_conntrack(sessions);
  failed_ += failed;
  mirror_.on_installed(failed);
}

Status RtoSessions::remove(std::span<const nsrp_tuple> keys) {
  const Status forgotten = conntrack_->remove(keys);
  const Status removed = table_->remove(keys);
  return forgotten ? removed : forgotten;
}

void RtoSessions::restate(std::span<const nsrp_tuple> keys) {
  for (const nsrp_tuple& key : keys) {
    if (const auto record = table_->find(key)) mirror_.on_local_session({key, *record});
  }
}

void RtoSessions::sync_started() {
  syncing_ = true;
  sync_started_ns_ = to_ns(io::now());
}

Status RtoSessions::sync_finished(rto::VsdSet vsds) {
  Status removed = vsds.empty() ? Status{} : remove_stale(vsds);
  syncing_ = false;
  retry_refused();
  return removed;
}

// An installed record carries the time of its installation in exported_ns; packets only move it on.
Status RtoSessions::remove_stale(rto::VsdSet vsds) {
  std::vector<nsrp_tuple> stale;
  Status read = table_->for_each([&](std::span<const kernel::SessionEntry> entries) {
    for (const kernel::SessionEntry& entry : entries) {
      if (contains(vsds, entry.session) && entry.session.exported_ns < sync_started_ns_) stale.push_back(entry.key);
    }
  });
  if (!read) return read;
  return stale.empty() ? Status{} : remove(stale);
}

Status RtoSessions::read(const rto::ReadSessions& wanted) {
  if (wanted.from_start) {
    snapshot_.clear();
    snapshot_read_ = 0;
    Status read = table_->for_each([&](std::span<const kernel::SessionEntry> entries) {
      for (const kernel::SessionEntry& entry : entries) {
        if (contains(wanted.vsds, entry.session)) snapshot_.push_back(entry);
      }
    });
    if (!read) return read;
    mirror_.on_snapshot_begin(snapshot_.size());
  }
  const size_t size = std::min(wanted.limit, snapshot_.size() - snapshot_read_);
  mirror_.on_snapshot(std::span(snapshot_).subspan(snapshot_read_, size));
  snapshot_read_ += size;
  if (snapshot_read_ < snapshot_.size()) return {};
  mirror_.on_snapshot_end();
  snapshot_ = {};
  snapshot_read_ = 0;
  return {};
}

Result<bool> RtoSessions::check_adopted() {
  const Instant now = io::now();
  std::vector<nsrp_tuple> ended;
  for (size_t i = 0; i < kAdoptedPerCall && !adopted_.empty(); ++i) {
    const nsrp_tuple key = adopted_.back();
    adopted_.pop_back();
    const Result<bool> exists = conntrack_->exists(key);
    if (!exists) return fail(exists.error());
    if (!*exists) on_destroyed(key, now, ended);
  }
  if (!ended.empty()) {
    if (Status removed = table_->remove(ended); !removed) return fail(removed.error());
  }
  if (adopted_.empty()) adopted_ = {};
  return !adopted_.empty();
}

}  // namespace nsrp::daemon
