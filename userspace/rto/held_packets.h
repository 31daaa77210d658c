// SPDX-License-Identifier: Apache-2.0
// Packets of new sessions that wait until the peer has the session (`set nsrp vsd-group id N defer`): what nobody
// outside has seen, nobody can answer, so a crash of this device leaves no answer without a session.
//
//   held.hold(packet);                                // from the data path, in the order of arrival
//   if (auto id = held.request()) ask(*id);        // … later: held.acknowledge(*id, by_peer)
//   for (ReleasedPacket& packet : held.release(now)) send(packet);
//
// Packets of one VSD leave in the order in which they came, so those of a session do. Only the first one of a session
// needs the peer's word; those behind it wait for their turn. Whatever happens, none waits longer than its VSD's bound
// once release() is called: to hold is a favour to the session, to lose its packets is not.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "nsrp/abi/nsrp_abi.h"
#include "rto/vsd_set.h"

namespace nsrp::rto {

struct HeldPacket {
  nsrp_held_packet about;
  std::vector<uint8_t> frame;
};

enum class Release : uint8_t {
  kAcknowledged,  // the peer has the session
  kBehind,        // nothing of its session is held any more before it
  kBoundPassed,   // the peer has not answered in time
  kNoPeer,        // there is nobody any more to answer
  kHandedOver,    // this device does not master the VSD any more
  kNoRoom,        // more are held than there is room for
};
inline constexpr size_t kReleases = 6;
std::string_view to_string(Release why);  // "acknowledged", "behind", …

struct ReleasedPacket {
  HeldPacket packet;
  Release why;
};

using ReleaseCounts = std::array<uint64_t, kReleases>;

class HeldPackets {
 public:
  static constexpr size_t kMostPackets = 16384;
  // Without an answer yet: what comes meanwhile shares the next one. Each is answered, or given up with its connection.
  static constexpr size_t kMostRequests = 4;

  // How long a packet of each VSD waits at most; a VSD that is not among them does not wait.
  void set_bounds(std::map<VsdId, Duration> bounds) { bounds_ = std::move(bounds); }
  void hold(HeldPacket packet);

  // The id of a request to be made now: it is answered when the peer has every session that was recorded before it.
  std::optional<uint64_t> request();
  // The answer. Not by the peer: there is none, or it has gone. An answer stands for all requests before it.
  void acknowledge(uint64_t id, bool by_peer);
  // Nothing of these is waited for any more.
  void give_up(VsdSet vsds) { given_up_ = given_up_ | vsds; }

  // What is to be sent now, in this order.
  std::vector<ReleasedPacket> release(Instant now);
  std::optional<Instant> next_deadline() const;

  size_t size() const { return size_; }
  // Since the start.
  const std::map<VsdId, ReleaseCounts>& released() const { return counts_; }

 private:
  struct Waiting {
    HeldPacket packet;
    uint64_t number;
  };
  struct Request {
    uint64_t id;
    uint64_t through;  // stands for packets up to this number
  };

  Instant deadline_of(VsdId vsd, const Waiting& waiting) const;
  std::optional<Release> reason(VsdId vsd, const Waiting& waiting, Instant now) const;

  std::map<VsdId, Duration> bounds_;
  std::map<VsdId, std::deque<Waiting>> queues_;
  size_t size_ = 0;
  uint64_t last_number_ = 0;  // of the packets held
  uint64_t last_first_ = 0;   // the latest that begins a session
  uint64_t requested_through_ = 0;
  uint64_t acknowledged_through_ = 0;
  uint64_t abandoned_through_ = 0;  // nobody will acknowledge these
  std::deque<Request> requests_;
  uint64_t last_id_ = 0;
  VsdSet given_up_;
  std::map<VsdId, ReleaseCounts> counts_;
};

}  // namespace nsrp::rto
