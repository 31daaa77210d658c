// SPDX-License-Identifier: Apache-2.0
// What members tell each other in a heartbeat (manual ch. 1, "Heartbeat Messages"). The frame that carries it is
// described in wire/heartbeat_frame.h.
#pragma once

#include <bitset>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace nsrp::core {

// The ways on which members reach each other. 0 to 2 are the interfaces in zone ha, 0 the lowest-numbered; then the
// interface in a security zone that carries control messages (`set nsrp interface`), and the secondary path.
using LinkIndex = Id<struct LinkTag, uint8_t>;
inline constexpr LinkIndex kControlInterface{3}, kSecondaryPath{4};
inline constexpr size_t kLinks = 5;
using LinkSet = std::bitset<kLinks>;

// Manual ch. 1, "VSD Group Member States". The values are on the wire.
enum class VsdState : uint8_t {
  kInitial = 1,
  kMaster = 2,
  kPrimaryBackup = 3,
  kBackup = 4,
  kIneligible = 5,
  kInoperable = 6,
};
std::string_view to_string(VsdState state);  // the manual's words: "master", "primary backup", …

inline constexpr size_t kMaxHearings = 7;  // 8 members

// One VSD group as its member sees itself.
struct VsdAdvert {
  VsdId vsd{};
  VsdState state = VsdState::kInitial;
  uint8_t priority = 100;     // lower wins
  bool wants_master = false;  // asks the master to hand over: preemption or `exec … mode master`
  bool in_sync = false;       // holds the RTOs of the VSD's master, or needs none
  bool ready = false;         // a backup whom its master has asked to be: it takes what the master passes on
  uint64_t term = 0;          // the mastership's number; each takeover raises it
  UnitId handed_to{};         // a master that has just released the VSD names its successor; 0: nobody
  UnitId follows{};           // a backup: the master it follows; 0: none, or handed_to is set
  UnitId handing_to{};        // a master that is about to release the VSD asks its successor to be ready

  bool operator==(const VsdAdvert&) const = default;
};

// What a member knows of another one's life: an acknowledgement. That one learns that it is heard, on which links, and
// how much of the sender's patience is used up; third members learn that it lives, although they may not hear it.
// Durations are whole microseconds, at most 2^32 - 1.
struct Hearing {
  UnitId unit{};
  uint32_t epoch = 0;     // the low half of its boot epoch
  uint32_t sequence = 0;  // the low half of the latest of its heartbeats that is known of
  Duration silence{0};    // since that heartbeat, as it counts towards declaring it dead
  Duration forgiven{0};   // what does not count: the sender itself stood still
  LinkSet links{};        // the sender's links on which it hears that member
  bool relayed = false;   // sequence and silence are what a third member tells; it is not to be told further

  bool operator==(const Hearing&) const = default;
};

// Sent each hb-interval on every HA link, and at once when something changes.
struct Heartbeat {
  UnitId unit{};
  uint64_t boot_epoch = 0;  // random per daemon start: tells a restart from a late frame
  uint64_t sequence = 0;    // one sequence space over all links
  milliseconds hb_interval{1000};
  uint8_t hb_threshold = 3;
  bool leaving = false;      // the last heartbeat: the daemon stops in order
  bool rto_enabled = false;  // RTO peer information
  UnitId rto_peer{};         // the member this one mirrors with; 0: none
  uint16_t clears = 0;       // how often this cluster was told to clear its counters, modulo 2^16
  std::vector<VsdAdvert> vsds{};
  std::vector<Hearing> heard{};  // living members, at most kMaxHearings

  bool operator==(const Heartbeat&) const = default;
};

}  // namespace nsrp::core
