// SPDX-License-Identifier: Apache-2.0
// Messages between mirrors on the reliable channel (TCP): a 12-byte header {u32 length of the body, u16 type,
// u16 version, u32 count}, then the body, all in network byte order. Field by field in docs/protocol.md.
//
// A decoder keeps the bytes of an unfinished message; anything that is not a message it knows, of a length it allows,
// is an error, after which the channel is closed and resumed anew: no partial session is ever handed out. What decodes
// encodes again to the same bytes: reserved fields are zero, and a tuple has one spelling.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "nsrp/abi/nsrp_abi.h"
#include "rto/object.h"
#include "rto/vsd_set.h"

namespace nsrp::rto {

using Session = nsrp_session_event;  // key and record; times and flags are local to a box and are not sent

struct EndedSession {
  nsrp_tuple key;
  VsdId vsd;
};

inline constexpr uint16_t kVersion = 2;
inline constexpr size_t kMaxBodyBytes = 1 << 20;
inline constexpr size_t kMaxSessionsPerMessage = 4096;
inline constexpr size_t kHeaderBytes = 12;
inline constexpr size_t kSessionBytes = 100;      // one session of a SessionPut
inline constexpr size_t kEndedSessionBytes = 44;  // one key of a SessionEnd
inline constexpr size_t kMaxObjectsPerMessage = 4096;
inline constexpr size_t kObjectClassBytes = 4;  // which class, before its objects
inline constexpr size_t kObjectHeadBytes = 4;   // of one object: VSD and lengths
inline constexpr size_t kObjectSyncBytes = 12;
inline constexpr unsigned kMaxBucketBits = 16;
inline constexpr size_t kMaxDigestsPerMessage = 4096;
inline constexpr size_t kMaxBucketsPerMessage = 4096;
inline constexpr size_t kAuditBeginBytes = 16;
inline constexpr size_t kAuditDigestsHeadBytes = 8;  // before the digests
inline constexpr size_t kRepairHeadBytes = 12;       // before the buckets

struct Hello {  // first on every connection, both ways
  UnitId unit;
  ClusterId cluster;
  uint64_t boot_epoch = 0;
  bool sync = false;   // the sender has `rto-mirror sync` on
  ClassSet classes{};  // it takes objects of these classes
  bool operator==(const Hello&) const = default;
};
struct ReceiverReady {};  // r-ready (manual ch. 1, "Setting an RTO Mirror State"); asks for a cold sync each time
struct GroupActive {};    // the answer
struct GroupDetach {};
struct RtoHeartbeat {};
struct SessionPut {
  std::vector<Session> sessions;
};
struct SessionEnd {
  std::vector<EndedSession> sessions;
};
struct SyncBegin {     // a cold sync follows
  uint64_t total = 0;  // an estimate, for progress
  VsdSet vsds;         // what it covers: of these, the receiver drops what the sync does not repeat
};
struct SyncEnd {
  uint64_t sent = 0;      // sessions put since SyncBegin
  uint64_t withheld = 0;  // sessions that exist and could not be put: the receiver's copy is not complete
};
struct ObjectPut {  // objects of a class that are new or have changed
  ClassId id;
  std::vector<Object> objects;
};
struct ObjectEnd {
  ClassId id;
  std::vector<EndedObject> objects;
};
struct ObjectSync {  // all there is of these VSDs follows; what the receiver holds and is not repeated has gone
  ClassId id;
  VsdSet vsds;
};
struct ObjectSyncEnd {
  ClassId id;
};
// The audit (rto/audit.h): buckets are 2^bits parts of the space of keys.
struct AuditBegin {
  uint32_t round = 0;
  uint8_t bits = 0;
  VsdSet vsds;
};
struct AuditDigests {  // of the buckets from `first` on, in order
  uint32_t round = 0;
  uint32_t first = 0;
  std::vector<uint64_t> digests;
};
struct AuditResult {  // the receiver's answer
  uint32_t round = 0;
  uint32_t compared = 0;   // buckets; 0 too when the receiver could not
  uint64_t oldest_ms = 0;  // since the bucket was compared whose turn was longest ago
  std::vector<uint32_t> differing;
};
struct RepairBegin {  // a cold sync of these buckets alone; ends with SyncEnd
  uint8_t bits = 0;
  VsdSet vsds;
  std::vector<uint32_t> buckets;
};
struct Barrier {  // answer with BarrierAck once everything before is installed
  uint64_t id = 0;
};
struct BarrierAck {
  uint64_t id = 0;
};

using Message = std::variant<Hello, ReceiverReady, GroupActive, GroupDetach, RtoHeartbeat, SessionPut, SessionEnd,
                             SyncBegin, SyncEnd, ObjectPut, ObjectEnd, ObjectSync, ObjectSyncEnd, AuditBegin,
                             AuditDigests, AuditResult, RepairBegin, Barrier, BarrierAck>;

// Whether a record is one that may be sent: a decoder would refuse what is not.
bool is_valid(const Session& session);
bool is_valid(const nsrp_tuple& tuple);

void append(std::vector<uint8_t>& out, const Message& message);

class Decoder {
 public:
  void feed(std::span<const uint8_t> bytes);
  // The next whole message; nullopt when more bytes are needed. After an error, the same error for ever.
  Result<std::optional<Message>> next();

 private:
  std::vector<uint8_t> buffer_;
  size_t read_ = 0;
  std::optional<Error> error_;
};

}  // namespace nsrp::rto
