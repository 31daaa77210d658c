// SPDX-License-Identifier: Apache-2.0
// Messages between mirrors on the reliable channel (TCP): a 12-byte header {u32 length of the body, u16 type,
// u16 version, u32 count}, then the body, all in network byte order. Field by field in docs/protocol.md.
//
// A decoder keeps the bytes of an unfinished message; anything that is not a message it knows, of a length it allows,
// is an error, after which the channel is closed and resumed anew: no partial session is ever handed out.
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

namespace nsrp::rto {

using Session = nsrp_session_event;  // key and record; times in it are local to a box and are not sent

inline constexpr uint16_t kVersion = 1;
inline constexpr size_t kMaxBodyBytes = 1 << 20;
inline constexpr size_t kMaxSessionsPerMessage = 4096;

struct Hello {  // first on every connection, both ways
  UnitId unit;
  ClusterId cluster;
  uint64_t boot_epoch = 0;
  bool sync = false;  // the sender has `rto-mirror sync` on
  bool operator==(const Hello&) const = default;
};
struct ReceiverReady {};  // r-ready (manual ch. 1, "Setting an RTO Mirror State")
struct GroupActive {};
struct GroupDetach {};
struct RtoHeartbeat {};
struct SessionPut { std::vector<Session> sessions; };
struct SessionEnd { std::vector<nsrp_tuple> keys; };
struct SyncBegin { uint64_t total = 0; };    // a cold sync follows; total is an estimate for progress
struct SyncEnd { uint64_t sent = 0; };
struct Barrier { uint64_t id = 0; };         // answer with BarrierAck once everything before is installed
struct BarrierAck { uint64_t id = 0; };

using Message = std::variant<Hello, ReceiverReady, GroupActive, GroupDetach, RtoHeartbeat, SessionPut, SessionEnd,
                             SyncBegin, SyncEnd, Barrier, BarrierAck>;

void append(std::vector<uint8_t>& out, const Message& message);

class Decoder {
 public:
  void feed(std::span<const uint8_t> bytes);
  // The next whole message; nullopt when more bytes are needed.
  Result<std::optional<Message>> next();

 private:
  std::vector<uint8_t> buffer_;
  size_t read_ = 0;
};

}  // namespace nsrp::rto
