// SPDX-License-Identifier: Apache-2.0
// How long a session has left when no packet of it comes any more.
//
// Conntrack's timer runs on the master; a copy holds what was left when the session was last told of. A busy session
// is told of every 30 s at most, so what has passed since then may have been refreshed unseen.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"
#include "nsrp/abi/nsrp_abi.h"

namespace nsrp::rto {

inline constexpr seconds kToldEvery{30};
inline constexpr uint8_t kTcpEstablished = 3;  // TCP_CONNTRACK_ESTABLISHED

// With every packet conntrack begins anew. A record of this device may have been made from a packet that was not
// acknowledged yet, which conntrack gives minutes only; the acknowledgement, of which no record tells, brings the days
// of an established connection back.
inline uint32_t full_timeout_s(const nsrp_session_event& entry, uint32_t tcp_established_s) {
  const bool own = (entry.session.flags & NSRP_SESSION_FROM_PEER) == 0;
  const bool established = entry.key.proto == 6 && entry.session.tcp_state == kTcpEstablished;
  return own && established ? std::max(entry.session.timeout_s, tcp_established_s) : entry.session.timeout_s;
}

// At least 1.
inline uint32_t seconds_left(const nsrp_session_event& entry, Instant now, uint32_t tcp_established_s) {
  const uint64_t heard_ns = std::max(entry.session.last_seen_ns, entry.session.exported_ns);
  const uint64_t idle_s = to_ns(now) > heard_ns ? (to_ns(now) - heard_ns) / to_ns(Duration(seconds(1))) : 0;
  const auto slack_s = static_cast<uint64_t>(kToldEvery.count());
  const uint64_t gone_s = idle_s > slack_s ? idle_s - slack_s : 0;
  const uint64_t full_s = full_timeout_s(entry, tcp_established_s);
  return static_cast<uint32_t>(full_s > gone_s ? full_s - gone_s : 1);
}

}  // namespace nsrp::rto
