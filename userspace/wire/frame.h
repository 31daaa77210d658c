// SPDX-License-Identifier: Apache-2.0
// The envelope of everything members send on their links: a raw Ethernet frame with a head in clear, a body, and a tag
// when it is protected. Every field in docs/protocol.md.
//
//   Bytes bytes = encode_frame(head, body);
//   tl::expected<FrameView, Drop> frame = parse_frame(bytes);
//
// Numbers are big-endian. Offsets count from the start of the frame.
//
//    0  6  destination                            28  8  boot epoch
//    6  6  source                                 36  8  counter
//   12  2  EtherType 0x88b5                       44  4  key id, 0: none
//   14  4  magic "NSRP"                           48  1  protection
//   18  1  version, 2                             49  1  reserved, 0
//   19  1  type                                   50  2  length of the body
//   20  1  cluster id                             52  .  body
//   21  1  sender's link                           .  16 tag, only when protected
//   22  6  unit id
//
// Magic, version, type and cluster id stay where they are in any version: the HA program reads them
// (bpf/nsrp_ha.bpf.c).
#pragma once

#include <cstdint>
#include <string_view>
#include <tl/expected.hpp>

#include "base/address.h"
#include "base/ids.h"
#include "core/message.h"
#include "wire/bytes.h"

namespace nsrp::wire {

inline constexpr uint16_t kEtherType = 0x88b5;  // NSRP_ETHERTYPE of the ABI
inline constexpr uint8_t kVersion = 3;
inline constexpr size_t kHeadBytes = 52;
inline constexpr size_t kTagBytes = 16;
inline constexpr size_t kMinEthernetBytes = 60;
inline constexpr size_t kMaxFrameBytes = 1514;
inline constexpr size_t kMaxBodyBytes = kMaxFrameBytes - kHeadBytes - kTagBytes;
inline constexpr MacAddress kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

enum class FrameType : uint8_t {
  kHeartbeat = 1,
  kProbeRequest = 2,
  kProbeAnswer = 3,
  kChallenge = 4,
  kChallengeAnswer = 5,
};

enum class Protection : uint8_t { kNone = 0, kAuthenticated = 1, kEncrypted = 2 };

struct FrameHead {
  MacAddress destination = kBroadcast;
  MacAddress source;
  FrameType type{};
  ClusterId cluster{};
  core::LinkIndex link{};  // the sender's link it left on
  UnitId unit{};           // the sender
  uint64_t epoch = 0;      // the sender's boot epoch
  uint64_t counter = 0;    // grows with each frame of this sender, link and epoch
  uint32_t key_id = 0;     // which key protects it; 0: none
  Protection protection = Protection::kNone;

  bool operator==(const FrameHead&) const = default;
};

// A frame taken apart; points into the bytes it was parsed from.
struct FrameView {
  FrameHead head;
  ByteView head_bytes, body, tag;
};

// Why a frame was dropped. Each has a counter, and the meaning of each stands in docs/protocol.md.
enum class Drop : uint8_t {
  kMalformed,
  kWrongVersion,
  kWrongCluster,
  kOwnEcho,
  kDuplicateUnit,
  kUnprotected,
  kProtected,
  kUnknownKey,
  kBadTag,
  kReplay,
  kStaleEpoch,
  kWrongLink,
  kFloodLimited,
  kCount,
};
inline constexpr size_t kDropCauses = static_cast<size_t>(Drop::kCount);
std::string_view to_string(Drop drop);

// With kTagBytes of room behind the body when the head says that the frame is protected. Throws std::invalid_argument
// for a body beyond kMaxBodyBytes.
Bytes encode_frame(const FrameHead& head, ByteView body);

// Looks at the shape only: kMalformed and kWrongVersion. Whose frame it is and whether it is authentic is FrameGuard's.
tl::expected<FrameView, Drop> parse_frame(ByteView bytes);

}  // namespace nsrp::wire
