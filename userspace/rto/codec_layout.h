// SPDX-License-Identifier: Apache-2.0
// What writing and reading messages have in common: types and lengths, field by field in docs/protocol.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include "rto/codec.h"

namespace nsrp::rto::wire {

enum class Type : uint16_t {
  kHello = 1,
  kReceiverReady = 2,
  kGroupActive = 3,
  kGroupDetach = 4,
  kHeartbeat = 5,
  kSessionPut = 6,
  kSessionEnd = 7,
  kSyncBegin = 8,
  kSyncEnd = 9,
  kBarrier = 10,
  kBarrierAck = 11,
  kObjectPut = 12,
  kObjectEnd = 13,
  kObjectSync = 14,
  kObjectSyncEnd = 15,
  kAuditBegin = 16,
  kAuditDigests = 17,
  kAuditResult = 18,
  kRepairBegin = 19,
};

inline constexpr size_t kHelloBytes = 20;
inline constexpr size_t kSyncBeginBytes = 16;
inline constexpr size_t kSyncEndBytes = 16;
inline constexpr uint8_t kHelloSync = 1;
inline constexpr uint8_t kMaxClasses = 16;
inline constexpr uint8_t kLastTcpState = 9;  // TCP_CONNTRACK_SYN_SENT2
inline constexpr size_t kAuditResultHeadBytes = 16;

static_assert(kSessionBytes * kMaxSessionsPerMessage <= kMaxBodyBytes);

}  // namespace nsrp::rto::wire
