// SPDX-License-Identifier: Apache-2.0
// What stands in the frames: heartbeats, probes, challenges. Every field in docs/protocol.md.
//
// Heartbeat, numbers big-endian:
//
//    0  8  sequence                               41  1  flags: 1 leaving, 2 RTO mirror in use
//    8  8  configuration checksum                 42  4  id of the newest key the sender holds, 0: none
//   16 16  IPv6 link-local address, or ::         46  1  number of VSD entries, at most 64
//   32  6  unit id of the RTO peer, 0: none       47  1  number of hearings, at most 7
//   38  2  hb-interval in ms                      48  2  clears of counters, counted over the cluster
//   40  1  hb-threshold                           50  .  VSD entries, then hearings
//
// A VSD entry, 18 bytes: VSD id, state, priority, flags (1 wants master, 2 in sync, 4 the unit is followed, 8 it is
// asked to be ready, 16 ready), term (8), unit (6) the VSD was handed to, or that is followed or asked.
// A hearing, 23 bytes: unit (6), epoch (4), sequence (4), silence in us (4), forgiven in us (4), links (1 bit each; bit
// 7: relayed).
#pragma once

#include <array>
#include <optional>

#include "base/address.h"
#include "core/message.h"
#include "wire/bytes.h"
#include "wire/frame.h"

namespace nsrp::wire {

inline constexpr size_t kMaxVsds = 64;

struct HeartbeatBody {
  IpAddress link_local;  // the sender's IPv6 link-local address on the link, for the RTO connection; may be ::
  uint64_t config_checksum = 0;
  uint32_t newest_key = 0;    // the newest key the sender holds
  core::Heartbeat heartbeat;  // unit and boot epoch are those of the frame's head

  bool operator==(const HeartbeatBody&) const = default;
};

// A probe asks "is anybody there"; the answer says to whom it is given (manual ch. 1, "Dual HA Link Probes").
struct ProbeBody {
  uint64_t id = 0;
  UnitId asker;
  bool operator==(const ProbeBody&) const = default;
};

using Nonce = std::array<uint8_t, 16>;

// "Prove that you are there now": asked of a unit and boot epoch that is not known yet on this pair of links.
struct ChallengeBody {
  UnitId asked;
  uint64_t epoch = 0;  // the one that is to be proven
  Nonce nonce{};
  bool operator==(const ChallengeBody&) const = default;
};
struct ChallengeAnswerBody {
  UnitId asker;
  Nonce nonce{};
  bool operator==(const ChallengeAnswerBody&) const = default;
};

// Throws std::invalid_argument for what no Member says: more VSDs than kMaxVsds, more hearings than core::kMaxHearings,
// an interval of 0 or beyond 65535 ms.
Bytes encode(const HeartbeatBody& body);
Bytes encode(const ProbeBody& body);
Bytes encode(const ChallengeBody& body);
Bytes encode(const ChallengeAnswerBody& body);

// nullopt: malformed.
std::optional<HeartbeatBody> decode_heartbeat(const FrameHead& head, ByteView body);
std::optional<ProbeBody> decode_probe(ByteView body);
std::optional<ChallengeBody> decode_challenge(ByteView body);
std::optional<ChallengeAnswerBody> decode_challenge_answer(ByteView body);

}  // namespace nsrp::wire
