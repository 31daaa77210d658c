// SPDX-License-Identifier: Apache-2.0
// What members tell each other in a heartbeat (manual ch. 1, "Heartbeat Messages"). The frame that carries it is
// described in wire/heartbeat_frame.h.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace nsrp::core {

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

// One VSD group as its member sees itself.
struct VsdAdvert {
  VsdId vsd{};
  VsdState state = VsdState::kInitial;
  uint8_t priority = 100;     // lower wins
  bool wants_master = false;  // asks the master to hand over: preemption or `exec … mode master`
  bool in_sync = false;       // holds the RTOs of the VSD's master, or needs none
  uint64_t term = 0;          // the mastership's number; each takeover raises it
  UnitId handed_to{};         // a master that has just released the VSD names its successor; 0: nobody

  bool operator==(const VsdAdvert&) const = default;
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
  std::vector<VsdAdvert> vsds{};

  bool operator==(const Heartbeat&) const = default;
};

}  // namespace nsrp::core
