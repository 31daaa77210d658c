// SPDX-License-Identifier: Apache-2.0
#include "daemon/rto_sessions.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <unordered_set>
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
constexpr size_t kMaxRefused = 1 << 16;
constexpr unsigned kAttempts = 20;
constexpr uint32_t kHasHelper = 1u << 13;  // IPS_HELPER
// As many sessions at once come in a cold sync; to share the work on fewer costs more time than it saves.
constexpr size_t kWorthSharing = 256, kShare = 128;

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
  set_aside_.forget_if([&](const auto& entry) { return contains(mastered, entry.session); });
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
  if (!wanted.only_missing) return install_all(wanted.sessions);
  std::vector<rto::Session> missing;
  for (const rto::Session& session : wanted.sessions) {
    if (!table_->find(session.key)) missing.push_back(session);
  }
  const uint64_t failed = install_all(missing);
  rto::VsdSet vsds;
  for (const rto::Session& session : missing) vsds.insert(VsdId{session.session.vsd});
  timeouts_->installed_as_master(io::now(), vsds);
  for (const rto::Session& session : missing) {
    if (table_->find(session.key)) tell(session);
  }
  return failed;
}

// Of many sessions some go into the table while conntrack takes those before them: the two have no lock in common.
uint64_t RtoSessions::install_all(std::vector<rto::Session> sessions) {
  for (const rto::Session& session : sessions) set_aside_.forget(std::span(&session.key, 1));
  const size_t share = sessions.size() < kWorthSharing ? sessions.size() : kShare;
  uint64_t failed = 0;
  std::deque<Installation> under_way;
  for (size_t first = 0; first < sessions.size(); first += share) {
    const auto begin = sessions.begin() + static_cast<std::ptrdiff_t>(first);
    std::vector<rto::Session> some(begin,
                                   begin + static_cast<std::ptrdiff_t>(std::min(share, sessions.size() - first)));
    Installation& next = under_way.emplace_back();
    failed += store(some, next.known_status);
    for (const rto::Session& session : some) next.sessions.push_back({session, 0});
    if (share == sessions.size()) {
      put_into_conntrack(next);
    } else {
      helper_.run([this, &next] { put_into_conntrack(next); });
    }
  }
  helper_.wait();
  for (Installation& done : under_way) failed += settle(done);
  return failed;
}

// Puts them into the table, and leaves in `sessions` those that found room.
uint64_t RtoSessions::store(std::vector<rto::Session>& sessions, std::vector<uint32_t>& known_status) {
  const uint64_t now = to_ns(io::now());
  std::vector<kernel::SessionTable::Present> before;
  for (rto::Session& session : sessions) {
    const auto& present = before.emplace_back(table_->find(session.key));
    const bool known = present && rto::TupleEqual{}(present->reply, session.session.reply);
    known_status.push_back(known ? present->ct_status : 0);
    session.session.flags = NSRP_SESSION_FROM_PEER;
    session.session.created_ns = present ? present->created_ns : now;
    session.session.last_seen_ns = session.session.exported_ns = now;
  }
  const Result<size_t> stored = table_->put(sessions, before);
  const size_t wanted = sessions.size();
  if (stored && *stored == wanted) return 0;
  last_failure_ = stored ? "the session table is full" : stored.error().message;
  size_t kept = 0;
  for (size_t i = 0; i < wanted; ++i) {
    const std::optional<nsrp_session> present = table_->find(sessions[i].key);
    if (!present || present->generation != sessions[i].session.generation) continue;
    sessions[kept] = sessions[i];
    known_status[kept++] = known_status[i];
  }
  sessions.resize(kept);
  known_status.resize(kept);
  return wanted - kept;
}

// Also called on the helper's thread: touches nothing but conntrack.
void RtoSessions::put_into_conntrack(Installation& wanted) {
  std::vector<kernel::SessionEntry> entries;
  for (const Refused& one : wanted.sessions) {
    entries.push_back(one.session);
    entries.back().session.timeout_s += RtoTimeouts::kRefreshSlackSeconds;
  }
  wanted.result = conntrack_->install(entries, RtoTimeouts::kMinTimeoutSeconds, wanted.known_status);
}

// A record without its conntrack entry would be half a session: it goes, unless it is worth another attempt.
uint64_t RtoSessions::settle(Installation& done) {
  std::vector<nsrp_tuple> given_up;
  uint64_t set_aside = 0;
  std::vector<kernel::SessionEntry> clashing;
  if (!done.result) {
    last_failure_ = done.result.error().message;
    for (const Refused& one : done.sessions) given_up.push_back(one.session.key);
  } else {
    for (const kernel::InsertResult::Failure& failure : done.result->failures) {
      last_failure_ = "conntrack refused them: " + std::string(std::strerror(failure.error));
      Refused& one = done.sessions[failure.index];
      if (failure.error == EEXIST && ++one.attempts < kAttempts && refused_.size() < kMaxRefused) {
        refused_.push_back(one);
        clashing.push_back(one.session);
      } else {
        given_up.push_back(one.session.key);
        // For want of memory the kernel refuses now; for any other reason it will refuse again.
        if (failure.error != ENOMEM && set_aside_.add(one.session)) ++set_aside;
      }
    }
  }
  if (clashing.empty() && given_up.empty()) return 0;
  // They are tried again soon, by retry_refused().
  if (const auto cleared = conntrack_->remove_misread_answers(clashing); !cleared) {
    last_failure_ = cleared.error().message;
  }
  forget(given_up);
  return given_up.size() - set_aside;
}

void RtoSessions::forget(std::span<const nsrp_tuple> keys) {
  if (keys.empty()) return;
  if (const Status removed = table_->remove(keys); !removed) last_failure_ = removed.error().message;
}

uint64_t RtoSessions::retry_set_aside() {
  std::vector<rto::Session> due = set_aside_.take_due(io::now());
  if (due.empty()) return 0;
  for (rto::Session& session : due) session = as_told(session);
  const auto result = conntrack_->install(due, RtoTimeouts::kMinTimeoutSeconds);
  if (!result || result->installed == 0) return 0;
  for (const kernel::InsertResult::Failure& failure : result->failures) due[failure.index].key.family = 0;
  std::erase_if(due, [](const rto::Session& session) { return session.key.family == 0; });
  return install_all(std::move(due));
}

uint64_t RtoSessions::retry_refused() {
  if (syncing_) return 0;
  const uint64_t failed = retry_set_aside();
  if (refused_.empty()) return failed;
  std::vector<Refused> again;
  for (Refused& one : std::exchange(refused_, {})) {
    const std::optional<nsrp_session> present = table_->find(one.session.key);
    if (present && present->generation == one.session.session.generation) again.push_back(one);
  }
  Installation next{std::move(again), {}};
  put_into_conntrack(next);
  return failed + settle(next);
}

// What conntrack refused is not there; what it has by that name is part of another flow.
Status RtoSessions::remove(std::span<const nsrp_tuple> keys) {
  set_aside_.forget(keys);
  using Keys = std::unordered_set<nsrp_tuple, rto::TupleHash, rto::TupleEqual>;
  Keys refused;
  if (!refused_.empty()) {
    const Keys going(keys.begin(), keys.end());
    std::erase_if(refused_, [&](const Refused& one) {
      return going.contains(one.session.key) && refused.insert(one.session.key).second;
    });
  }
  std::vector<nsrp_tuple> installed;
  for (const nsrp_tuple& key : keys) {
    if (!refused.contains(key) && table_->find(key)) installed.push_back(key);
  }
  const Status forgotten = conntrack_->remove(installed);
  const Status removed = table_->remove(keys);
  return forgotten ? removed : forgotten;
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
  set_aside_.forget_if(stale);
  // What was empty when the sync began holds nothing older; to read all of it would only take its time.
  Status removed = finished.vsds.empty() || began_empty_ ? Status{} : remove_if(stale);
  syncing_ = false;
  if (!finished.only) adoption_->told_by_peer(finished.vsds);
  return removed;
}

Status RtoSessions::clear(rto::VsdSet vsds) {
  const auto of_these = [&](const kernel::SessionEntry& entry) { return contains(vsds, entry.session); };
  set_aside_.forget_if(of_these);
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
  if (!wanted.own && wanted.from_start) set_aside_.append_to(step.sessions);
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

size_t RtoSessions::room() {
  const auto left = [](size_t capacity, size_t used) { return capacity > used ? capacity - used : 0; };
  const Result<size_t> limit = conntrack_->capacity(), used = conntrack_->count();
  const size_t in_table = left(table_->capacity(), count());
  return limit && used ? std::min(in_table, left(*limit, *used)) : in_table;
}

}  // namespace nsrp::daemon
