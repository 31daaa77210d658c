// SPDX-License-Identifier: Apache-2.0
#include "daemon/rto_sessions.h"

#include <netinet/in.h>

#include <algorithm>
#include <utility>

#include "io/clock.h"
#include "rto/lifetime.h"

namespace nsrp::daemon {
namespace {

// An entry that was used as recently did not time out: it was deleted by hand, or its tuple has been taken over by a
// new flow (a client that reuses its port).
constexpr seconds kRecently{5};
// Records heard of as recently need no look into conntrack; nor could it be taken for silence that the news of an end
// is still on its way.
constexpr seconds kFresh{30};
constexpr size_t kChecksPerCall = 2048;
constexpr uint32_t kHasHelper = 1u << 13;  // IPS_HELPER

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
  const Result<kernel::Counters> counters = datapath.counters();
  if (!counters) return fail(counters.error());
  self->created_ = counters->at(NSRP_CNT_session_created);
  self->count_ = std::make_unique<SessionCount>(*self->table_);
  if (Status counted = self->count_->begin(self->created_); !counted) return fail(counted.error());
  self->timeouts_ = std::make_unique<RtoTimeouts>(*self->table_, *self->conntrack_);
  self->installer_ = std::make_unique<RtoInstaller>(*self->table_, *self->conntrack_);
  self->adoption_ = std::make_unique<RtoAdoption>(*self->table_);
  self->timeouts_->set_tcp_established(self->conntrack_->tcp_established_timeout_s());
  return self;
}

bool RtoSessions::set_no_backup(std::optional<config::NoBackupMark> mark) {
  return std::exchange(no_backup_, mark) != mark;
}

bool RtoSessions::stays_here(const nsrp_session& session) const {
  return no_backup_ && (session.ct_mark & no_backup_->mask) == no_backup_->value;
}

// What is left of its time now, which the record does not say.
rto::Session RtoSessions::as_told(rto::Session session) const {
  session.session.timeout_s = rto::seconds_left(session, io::now(), timeouts_->tcp_established_s());
  return session;
}

// A session that gets the mark later on has been told of; the peer loses it.
void RtoSessions::tell(rto::Session session) {
  if (stays_here(session.session)) {
    mirror_.on_local_end({session.key, VsdId{session.session.vsd}});
  } else {
    mirror_.on_local_session(as_told(session));
    note_helper(session);
  }
}

void RtoSessions::note_helper(const rto::Session& session) {
  if ((session.session.ct_status & kHasHelper) != 0 && !stays_here(session.session)) helped_(session.key);
}

std::optional<VsdId> RtoSessions::vsd_of(const nsrp_tuple& key) const {
  const std::optional<nsrp_session> record = table_->find(key);
  if (!record || stays_here(*record)) return std::nullopt;
  return VsdId{record->vsd};
}

size_t RtoSessions::drain_ring() {
  return table_->consume_events([this](const kernel::SessionEntry& entry) { tell(entry); });
}

Status RtoSessions::sweep_dirty() {
  const Result<kernel::Counters> counters = datapath_.counters();
  if (!counters) return fail(counters.error());
  created_ = counters->at(NSRP_CNT_session_created);
  const uint64_t ring_full = counters->at(NSRP_CNT_session_ring_full);
  if (ring_full == ring_full_) return {};
  ring_full_ = ring_full;
  const auto dirty = table_->take_dirty();
  if (!dirty) return fail(dirty.error());
  for (const kernel::SessionEntry& entry : *dirty) tell(entry);
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
  // On a backup an entry that ends may have been replaced, to give the flow its helper.
  if ((recently || !mastered) && conntrack_->exists(key).value_or(false)) {
    if (!mastered) return;
    mirror_.on_local_end({key, VsdId{record->vsd}});
    tell({key, *record});
    return;
  }
  ended.push_back(key);
  if (mastered) mirror_.on_local_end({key, VsdId{record->vsd}});
}

void RtoSessions::set_mastered(rto::VsdSet mastered) {
  mastered_ = mastered;
  installer_->forget_set_aside([&](const auto& entry) { return contains(mastered, entry.session); });
  timeouts_->set_mastered(io::now(), mastered);
  adoption_->set_mastered(io::now(), mastered);
}

Result<bool> RtoSessions::adjust_timeouts() {
  return timeouts_->step(io::now());
}

Result<bool> RtoSessions::adopt_some() {
  const Result<RtoAdoption::Step> step = adoption_->step(io::now());
  if (!step) return fail(step.error());
  if (const Result<size_t> stored = table_->put(step->found); !stored) return fail(stored.error());
  for (const rto::Session& session : step->found) tell(session);
  return step->more;
}

uint64_t RtoSessions::install(const rto::Install& wanted) {
  if (!wanted.only_missing) return installer_->install(wanted.sessions);
  std::vector<rto::Session> missing;
  for (const rto::Session& session : wanted.sessions) {
    if (!table_->find(session.key)) missing.push_back(session);
  }
  const uint64_t failed = installer_->install(missing);
  rto::VsdSet vsds;
  for (const rto::Session& session : missing) vsds.insert(VsdId{session.session.vsd});
  timeouts_->installed_as_master(io::now(), vsds);
  for (const rto::Session& session : missing) {
    if (table_->find(session.key)) tell(session);
  }
  return failed;
}

void RtoSessions::restate(std::span<const nsrp_tuple> keys) {
  for (const nsrp_tuple& key : keys) {
    if (const auto record = table_->find(key)) tell({key, *record});
  }
}

void RtoSessions::sync_started() {
  syncing_ = true;
  began_empty_ = count() == 0;
  sync_started_ns_ = to_ns(io::now());
}

// An installed record carries the time of its installation in exported_ns; packets only move it on.
Status RtoSessions::sync_finished(const rto::SyncFinished& finished) {
  const auto stale = [&](const kernel::SessionEntry& entry) {
    return contains(finished.vsds, entry.session) && entry.session.exported_ns < sync_started_ns_ &&
           (!finished.only || finished.only->contains(entry.key));
  };
  installer_->forget_set_aside(stale);
  // What was empty when the sync began holds nothing older; to read all of it would only take its time.
  Status removed = finished.vsds.empty() || began_empty_ ? Status{} : remove_if(stale);
  syncing_ = false;
  if (!finished.only) adoption_->told_by_peer(finished.vsds);
  return removed;
}

Status RtoSessions::clear(rto::VsdSet vsds) {
  const auto of_these = [&](const kernel::SessionEntry& entry) { return contains(vsds, entry.session); };
  installer_->forget_set_aside(of_these);
  return remove_if(of_these);
}

Status RtoSessions::remove_if(const std::function<bool(const kernel::SessionEntry&)>& doomed) {
  kernel::SessionTable::Cursor cursor;
  std::vector<kernel::SessionEntry> entries;
  while (!cursor.at_end()) {
    if (Status read = table_->read(cursor, kChecksPerCall, entries); !read) return read;
    std::vector<nsrp_tuple> keys;
    for (const kernel::SessionEntry& entry : entries) {
      if (doomed(entry)) keys.push_back(entry.key);
    }
    if (keys.empty()) continue;
    if (Status removed = remove(keys); !removed) return removed;
  }
  return {};
}

// Changes are told in the order in which they happened, also against what is read here: the ring first.
Status RtoSessions::read(const rto::ReadSessions& wanted) {
  drain_ring();
  if (wanted.from_start) {
    sync_cursor_ = {};
    mirror_.on_snapshot_begin(count());
  }
  std::vector<kernel::SessionEntry> entries;
  if (Status read = table_->read(sync_cursor_, wanted.limit, entries); !read) return read;
  std::erase_if(entries,
                [&](const auto& entry) { return !contains(wanted.vsds, entry.session) || stays_here(entry.session); });
  for (kernel::SessionEntry& entry : entries) entry = as_told(entry);
  mirror_.on_snapshot(entries);
  if (sync_cursor_.at_end()) mirror_.on_snapshot_end();
  return {};
}

Result<RtoSessions::AuditStep> RtoSessions::read(const rto::ReadForAudit& wanted) {
  drain_ring();
  AuditStep step;
  if (wanted.limit == 0) return step;
  kernel::SessionTable::Cursor& cursor = wanted.own ? own_audit_cursor_ : peers_audit_cursor_;
  if (wanted.from_start) cursor = {};
  if (Status read = table_->read(cursor, wanted.limit, step.sessions); !read) return fail(read.error());
  // What cannot be here is no difference.
  if (!wanted.own && wanted.from_start) installer_->append_set_aside(step.sessions);
  if (wanted.own) std::erase_if(step.sessions, [&](const auto& entry) { return stays_here(entry.session); });
  step.at_end = cursor.at_end();
  return step;
}

Result<bool> RtoSessions::check_some() {
  const Instant now = io::now();
  timeouts_->set_tcp_established(conntrack_->tcp_established_timeout_s());
  std::vector<kernel::SessionEntry> entries;
  if (Status read = table_->read(check_cursor_, kChecksPerCall, entries); !read) return fail(read.error());
  std::vector<nsrp_tuple> keys, ended;
  for (const kernel::SessionEntry& entry : entries) {
    const uint64_t heard_of = std::max(entry.session.last_seen_ns, entry.session.exported_ns);
    note_helper(entry);
    if (first_check_ || heard_of + to_ns(Duration(kFresh)) < to_ns(now)) keys.push_back(entry.key);
  }
  const Result<std::vector<bool>> exist = conntrack_->exist(keys);
  if (!exist) return fail(exist.error());
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!(*exist)[i]) on_destroyed(keys[i], now, ended);
  }
  if (!ended.empty()) {
    if (Status removed = table_->remove(ended); !removed) return fail(removed.error());
  }
  if (!check_cursor_.at_end()) return !first_check_;
  check_cursor_ = {};
  first_check_ = false;
  return true;
}

Status RtoSessions::count_some() {
  if (Status read = count_->read_some(created_); !read) return read;
  return datapath_.pace_permits(count());
}

size_t RtoSessions::room() {
  const auto left = [](size_t capacity, size_t used) { return capacity > used ? capacity - used : 0; };
  const Result<size_t> limit = conntrack_->capacity(), used = conntrack_->count();
  const size_t in_table = left(table_->capacity(), count());
  return limit && used ? std::min(in_table, left(*limit, *used)) : in_table;
}

}  // namespace nsrp::daemon
