// SPDX-License-Identifier: Apache-2.0
#include "daemon/rto_installer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <unordered_set>
#include <utility>

#include "daemon/rto_timeouts.h"
#include "io/clock.h"
#include "rto/lifetime.h"

namespace nsrp::daemon {
namespace {

constexpr size_t kMaxRefused = 1 << 16;
constexpr unsigned kAttempts = 20;
// As many sessions at once come in a cold sync; to share the work on fewer costs more time than it saves.
constexpr size_t kWorthSharing = 256, kShare = 128;

}  // namespace

// Of many sessions some go into the table while conntrack takes those before them: the two have no lock in common.
uint64_t RtoInstaller::install(std::vector<rto::Session> sessions) {
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
uint64_t RtoInstaller::store(std::vector<rto::Session>& sessions, std::vector<uint32_t>& known_status) {
  const uint64_t now = to_ns(io::now());
  std::vector<kernel::SessionTable::Present> before;
  for (rto::Session& session : sessions) {
    const auto& present = before.emplace_back(table_.find(session.key));
    const bool known = present && rto::TupleEqual{}(present->reply, session.session.reply);
    known_status.push_back(known ? present->ct_status : 0);
    session.session.flags = NSRP_SESSION_FROM_PEER;
    session.session.created_ns = present ? present->created_ns : now;
    session.session.last_seen_ns = session.session.exported_ns = now;
  }
  const Result<size_t> stored = table_.put(sessions, before);
  const size_t wanted = sessions.size();
  if (stored && *stored == wanted) return 0;
  last_failure_ = stored ? "the session table is full" : stored.error().message;
  size_t kept = 0;
  for (size_t i = 0; i < wanted; ++i) {
    const std::optional<nsrp_session> present = table_.find(sessions[i].key);
    if (!present || present->generation != sessions[i].session.generation) continue;
    sessions[kept] = sessions[i];
    known_status[kept++] = known_status[i];
  }
  sessions.resize(kept);
  known_status.resize(kept);
  return wanted - kept;
}

// Also called on the helper's thread: touches nothing but conntrack.
void RtoInstaller::put_into_conntrack(Installation& wanted) {
  std::vector<kernel::SessionEntry> entries;
  for (const Refused& one : wanted.sessions) {
    entries.push_back(one.session);
    entries.back().session.timeout_s += RtoTimeouts::kRefreshSlackSeconds;
  }
  wanted.result = conntrack_.install(entries, RtoTimeouts::kMinTimeoutSeconds, wanted.known_status);
}

// A record without its conntrack entry would be half a session: it goes, unless it is worth another attempt.
uint64_t RtoInstaller::settle(Installation& done) {
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
  if (const auto cleared = conntrack_.remove_misread_answers(clashing); !cleared) {
    last_failure_ = cleared.error().message;
  }
  forget(given_up);
  return given_up.size() - set_aside;
}

void RtoInstaller::forget(std::span<const nsrp_tuple> keys) {
  if (keys.empty()) return;
  if (const Status removed = table_.remove(keys); !removed) last_failure_ = removed.error().message;
}

// Tried in conntrack alone: a record that comes and goes with each attempt would be told of each time.
uint64_t RtoInstaller::retry_set_aside() {
  const Instant now = io::now();
  std::vector<rto::Session> due = set_aside_.take_due(now);
  if (due.empty()) return 0;
  for (rto::Session& one : due) one.session.timeout_s = rto::seconds_left(one, now, 0);
  const auto result = conntrack_.install(due, RtoTimeouts::kMinTimeoutSeconds);
  if (!result || result->installed == 0) return 0;
  std::vector<bool> refused(due.size());
  for (const kernel::InsertResult::Failure& failure : result->failures) refused[failure.index] = true;
  std::vector<rto::Session> taken;
  for (size_t i = 0; i < due.size(); ++i) {
    if (!refused[i]) taken.push_back(due[i]);
  }
  return install(std::move(taken));
}

uint64_t RtoInstaller::retry() {
  const uint64_t failed = retry_set_aside();
  if (refused_.empty()) return failed;
  std::vector<Refused> again;
  for (Refused& one : std::exchange(refused_, {})) {
    const std::optional<nsrp_session> present = table_.find(one.session.key);
    if (present && present->generation == one.session.session.generation) again.push_back(one);
  }
  Installation next{std::move(again), {}};
  put_into_conntrack(next);
  return failed + settle(next);
}

// What conntrack refused is not there; what it has by that name is part of another flow.
Status RtoInstaller::remove(std::span<const nsrp_tuple> keys) {
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
    if (!refused.contains(key) && table_.find(key)) installed.push_back(key);
  }
  const Status forgotten = conntrack_.remove(installed);
  const Status removed = table_.remove(keys);
  return forgotten ? removed : forgotten;
}

}  // namespace nsrp::daemon
