// SPDX-License-Identifier: Apache-2.0
#include "daemon/rto_timeouts.h"

#include <netinet/in.h>

#include <algorithm>
#include <utility>

#include "rto/lifetime.h"

namespace nsrp::daemon {

using kernel::Conntrack;
using kernel::SessionEntry;

void RtoTimeouts::Pass::want(Instant when, rto::VsdSet more) {
  if (more.empty()) return;
  next = next | more;
  at = when;
}

bool RtoTimeouts::Pass::due(Instant now) {
  if (running) return true;
  if (next.empty() || now < at) return false;
  vsds = std::exchange(next, {});
  cursor = {};
  running = true;
  return true;
}

void RtoTimeouts::set_mastered(Instant now, rto::VsdSet mastered) {
  const rto::VsdSet lost = mastered_ - mastered, gained = mastered - mastered_;
  mastered_ = mastered;
  for (uint8_t vsd = 0; vsd < NSRP_MAX_VSDS; ++vsd) {
    if ((lost | gained).contains(VsdId{vsd})) changed_ns_[vsd] = to_ns(now);
  }
  keep_.want(now, lost);
  keep_drained_.want(now + kDrained, lost);
  settle_.want(now + kSettleAfter, gained);
}

void RtoTimeouts::installed_as_master(Instant now, rto::VsdSet vsds) {
  settle_.want(now + kSettleAfter, vsds);
}

// Conntrack here has followed the TCP windows and will miss what the next master forwards. Should the VSD come back,
// even before this is done, it must not take what it does not know for forged.
std::optional<Conntrack::Adjustment> RtoTimeouts::kept(const SessionEntry& entry, Instant now, bool late) const {
  const bool from_peer = (entry.session.flags & NSRP_SESSION_FROM_PEER) != 0;
  if (from_peer || (late && entry.session.last_seen_ns < changed_ns_[entry.session.vsd])) return std::nullopt;
  Conntrack::Adjustment change{entry.key, 0, entry.key.proto == IPPROTO_TCP};
  if (!mastered_.contains(VsdId{entry.session.vsd})) {
    const uint32_t left = rto::seconds_left(entry, now, tcp_established_s_);
    change.timeout_s = std::max(left + kRefreshSlackSeconds, kMinTimeoutSeconds);
  }
  return change;
}

// An entry of which a packet has come has its timeout from there.
std::optional<Conntrack::Adjustment> RtoTimeouts::settled(const SessionEntry& entry, Instant now) const {
  if (!mastered_.contains(VsdId{entry.session.vsd})) return std::nullopt;
  const bool from_peer = (entry.session.flags & NSRP_SESSION_FROM_PEER) != 0;
  if (!from_peer && entry.session.last_seen_ns >= changed_ns_[entry.session.vsd]) return std::nullopt;
  return Conntrack::Adjustment{entry.key,
                               std::max(rto::seconds_left(entry, now, tcp_established_s_), kLeastLeftSeconds), false};
}

template <class Choose>
Result<bool> RtoTimeouts::step(Pass& pass, Choose choose) {
  std::vector<SessionEntry> entries;
  if (Status read = table_.read(pass.cursor, kChunk, entries); !read) {
    pass.running = false;
    return fail(read.error());
  }
  std::vector<Conntrack::Adjustment> changes;
  for (const SessionEntry& entry : entries) {
    if (!pass.vsds.contains(VsdId{entry.session.vsd})) continue;
    if (const auto change = choose(entry)) changes.push_back(*change);
  }
  pass.running = !pass.cursor.at_end();
  if (Status done = conntrack_.adjust(changes); !done) return fail(done.error());
  return true;
}

// What is about to run out comes first.
Result<bool> RtoTimeouts::step(Instant now) {
  if (keep_.due(now)) {
    return step(keep_, [&](const SessionEntry& entry) { return kept(entry, now, false); });
  }
  if (keep_drained_.due(now)) {
    return step(keep_drained_, [&](const SessionEntry& entry) { return kept(entry, now, true); });
  }
  if (settle_.due(now)) {
    return step(settle_, [&](const SessionEntry& entry) { return settled(entry, now); });
  }
  return false;
}

}  // namespace nsrp::daemon
