// SPDX-License-Identifier: Apache-2.0
// What happens to a cluster, as data: made from a seed, printed, shortened, and played by play.h. The network's chance
// depends on the seed and on the frame alone, so that leaving out an event does not shuffle everything after it.
#pragma once

#include <string>
#include <vector>

#include "sim/world.h"

namespace nsrp::sim {

enum class What : uint8_t {
  kStart,         // node, when it is down
  kKill,          // node: its process; the data path goes on
  kPowerOff,      // node
  kPause,         // node: its process stands still
  kStopMachine,   // node: process and data path
  kResume,        // node; value & 1: it is told of the time before the frames, & 2: its clock had stood still
  kLeave,         // node: an orderly stop
  kCut,           // node → other on links
  kCutUnicast,    // node → other on links: probes die, broadcast passes
  kHeal,          // node → other on links
  kHealAll,       //
  kClog,          // node → other on links: holds everything back for value µs, then delivers
  kCarrier,       // node on links; value: 0 or 1
  kCommand,       // node, vsd; value: ModeCommand
  kHealth,        // node, vsd (64: the device); value: operable
  kSync,          // node; value: in sync
  kProbe,         // node on the first of links; value: count
  kInterval,      // node; value: ms
  kThreshold,     // node; value
  kPriority,      // node, vsd; value
  kPreempt,       // node, vsd; value
  kBarrier,       // node; value: ms a barrier takes from now on, -1: for ever
  kLoss,          // value: of a thousand frames so many are lost
  kCalm,          // every fault ends; what follows at the same time lasts
  kCheck,         // after the bounds everything is as it should be, and stays so
  kStrikeMaster,  // vsd; value: 0 kill, 1 power off, 2 pause, 3 stop machine. Another one takes over in time
};
const char* to_string(What what);

struct Event {
  Duration at{0};  // since the last kCheck (kStrikeMaster) was done
  What what{};
  NodeId node = 0, other = 0;
  LinkSet links{};
  uint8_t vsd = 0;
  int64_t value = 0;
};
inline constexpr uint8_t kDevice = 64;  // vsd of kHealth

struct NodeSetup {
  MemberSettings settings;
  LinkSet links = 0b11;
  Duration clock_offset{0};
  int64_t clock_ppm = 0;  // assumed of real clocks: at most 200
  bool in_sync = true;
};

struct Weather {
  Duration delay{0}, jitter{0};  // each frame: delay + [0, jitter]
  unsigned late_permille = 0;    // frames that take up to `late` more, and so overtake each other
  Duration late{0};
  unsigned loss_permille = 0, duplicate_permille = 0;
  unsigned stall_permille = 0;  // timers that come up to `stall` late, the others up to `lateness`
  Duration stall{0}, lateness{0};
};

struct Scenario {
  uint64_t seed = 0;
  std::vector<NodeSetup> nodes;
  Weather weather;
  std::vector<Event> events;
};

Scenario make_scenario(uint64_t seed);
std::string to_lines(const Scenario& scenario);  // JSON, one line for the cluster, one for each event

}  // namespace nsrp::sim
