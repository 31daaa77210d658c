// SPDX-License-Identifier: Apache-2.0
// What a Member asks its surroundings to do. Actions of one call are carried out in order: the order is part of the
// protocol (a lease is revoked before the heartbeat that says so leaves).
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/address.h"
#include "core/message.h"

namespace nsrp::core {

struct SendHeartbeat {
  Heartbeat heartbeat;
  LinkSet links;
};
// A probe request (manual ch. 1, "Dual HA Link Probes"): whoever gets it answers on the same link, by unicast. It goes
// to `to`; without one to each peer heard on that link, by unicast, or to all if there is none.
struct SendProbe {
  LinkIndex link;
  uint64_t id;
  std::optional<MacAddress> to;
};
struct ProbesDone {  // what `exec nsrp probe` asked for
  LinkIndex link;
  uint8_t sent, answered;
};
struct GrantLease {  // master until then; see struct nsrp_vsd_state
  VsdId vsd;
  Instant until;
  Duration alone_grace;  // 0: a peer is known alive
  uint64_t term;
};
struct RevokeLease {  // and what Succeed allowed
  VsdId vsd;
  Duration drain{0};  // packets that came in before may still leave for that long
};
// Not master yet: what `from`, a master about to release the VSD, passes on over the data link is taken until then. The
// first such packet proves that it has. The epoch or earlier: not any more.
struct Succeed {
  VsdId vsd;
  UnitId from;
  Instant until;
};
struct Announce {  // one gratuitous ARP / unsolicited NA for each address of the VSD's VSIs
  VsdId vsd;
};
struct StartBarrier {  // answer with on_barrier_done() when the peer has acknowledged every session
  VsdId vsd;
};
struct StateChanged {
  VsdId vsd;
  VsdState from, to;
  std::string cause;  // for the operator, with the evidence: "no heartbeat of 0200000000b1 for 600 ms on ha1, ha2"
};
struct HandoverGivenUp {  // a planned switch does not take place; this member stays master
  VsdId vsd;
  UnitId to;
  std::string cause;
};
struct PeerUp {
  UnitId unit;
};
struct PeerLost {
  UnitId unit;
  std::string evidence;
};
struct Conflict {  // another master was heard
  VsdId vsd;
  UnitId other;
  bool survives;  // this member stays master
};
struct LinkRolesChanged {
  std::optional<LinkIndex> control, data;  // nullopt: no such link
};
struct LinkStateChanged {
  LinkIndex link;
  bool alive;
  std::string cause;  // "the peer does not hear us on it", "4 probes went unanswered", "no carrier"
};
struct ClearCounters {  // a living member was told `clear cluster nsrp counters`
  UnitId said_to;
};
struct MayExit {};  // every VSD was handed over (or nobody could take it) after begin_leave()

using Action = std::variant<SendHeartbeat, GrantLease, RevokeLease, Succeed, Announce, StartBarrier, StateChanged,
                            HandoverGivenUp, PeerUp, PeerLost, Conflict, LinkRolesChanged, LinkStateChanged, SendProbe,
                            ProbesDone, ClearCounters, MayExit>;
using Actions = std::vector<Action>;

}  // namespace nsrp::core
