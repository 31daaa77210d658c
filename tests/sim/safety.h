// SPDX-License-Identifier: Apache-2.0
// What must hold at every moment of every life, and what excuses a second master. Watches a World; throws Broken.
//
// The data path of a successor that has taken a packet its predecessor passed on counts as one that holds a lease.
// Two members hold a lease for one VSD at the same time only if one took over (the later, b, from the earlier, a) while
//  1. b had not heard of a, neither itself nor through a third member that is still there, for as long as the shorter
//     hb-threshold × hb-interval of the two, and
//  2. nothing b said about that had reached a: no heartbeat that b sent after it had missed a for one and a half
//     intervals was handed to a's process, but for the last half interval, which a takes to work off its socket, and
//  3. if a's lease was a long one, no frame had come to a's data path for as long as the lease then goes on.
// So both directions between them were broken at once, or one was and a stood still: a cut of one direction, of some
// links, or one that a third member bridges, excuses nothing. Neither does a stopped process, a crash, a restart, a
// clock that runs 200 ppm fast or slow, a frame that is late, doubled or overtaken.
// The one more excuse is a stopped machine whose clock stood still with it: it cannot know, and goes on until the first
// frame tells it, for one silence at the most.
// Assumed: a member that starts has the pace (hb-interval, hb-threshold) of the others. When the pace is changed, the
// shortest and the longest since the last calm count. No frame comes later than hb-threshold × hb-interval after its
// sender has started anew (an older one is a replay, which passwords keep out).
// In any case it ends within hb-threshold × hb-interval and two intervals (of the slower one) after a frame of one has
// been handed to the process of the other; and the one that stays announces once it has heard the one that goes.
#pragma once

#include <stdexcept>

#include "sim/world.h"

namespace nsrp::sim {

struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Tally {
  uint64_t takeovers = 0, overlaps = 0, conflicts = 0;
  uint64_t handovers = 0, seamless = 0;  // planned; with the successor's data path ready
};

class Safety {
 public:
  explicit Safety(World& world);
  void acted(NodeId id, const core::Actions& actions);
  void heard(NodeId to, const Frame& frame);
  void took(NodeId id, VsdId vsd);
  void stepped();
  void awake(NodeId id);                       // its process goes on
  void stopped(NodeId id);                     // a machine
  void resumed(NodeId id, bool clock_halted);  // a stopped machine goes on
  void restarted(NodeId id);
  void pace_changed(NodeId id);
  void pace_settled();      // all have heard of all changes
  void touched(NodeId id);  // something was done to it from outside
  void sync_changed(NodeId id);

  VsdState state(NodeId id, VsdId vsd) const { return nodes_[id].vsds[vsd.value].state; }
  std::optional<NodeId> last_announcer(VsdId vsd) const { return last_announcer_[vsd.value]; }
  bool two_masters() const { return !overlaps_.empty(); }
  const Tally& tally() const { return tally_; }

 private:
  static constexpr size_t kVsds = 8;
  struct VsdWatch {
    VsdState state = VsdState::kInitial;
    uint64_t said_term = 0, heard_term = 0;
    Instant since = Instant::min();  // of the state
    Instant promoted = Instant::min(), announced = Instant::min();
    std::optional<DataPathLease> lease;
  };
  struct NodeWatch {
    std::array<VsdWatch, kVsds> vsds{};
    bool started = false;
    Instant touched = Instant::min(), sync_changed = Instant::min();
    std::array<uint64_t, kMaxNodes> epochs{};                               // the latest run heard of each
    Duration shortest_silence{0}, longest_silence{0}, longest_interval{0};  // of what it was set to lately
    Instant stopped_at = Instant::min(), awake_since = Instant::min();
    Instant halted_until = Instant::min();  // its clock stood still before
  };
  struct Complaint {
    Instant last_heard = Instant::min(), at = Instant::min(), repeated = Instant::min();
    Duration silence{0};  // the longest told
  };
  struct Overlap {
    NodeId a, b;
    VsdId vsd;
    Instant born;
    std::optional<Instant> met;
  };
  struct Duty {  // to announce after a heal, once the other one is heard
    NodeId who, other;
    VsdId vsd;
    Instant since, ended;
    std::optional<Instant> until;
  };

  void watch_states(NodeId id, const core::StateChanged& change, const core::Actions& actions);
  void watch_grant(NodeId id, const core::GrantLease& grant);
  void watch_adverts(NodeId id, const Heartbeat& heartbeat);
  void check_masters(NodeId id);
  void check_sync_gate(NodeId id, VsdId vsd, const std::string& cause) const;
  bool all_hear_all() const;
  void meet(NodeId later, NodeId earlier, VsdId vsd);
  void check_birth(NodeId b, NodeId a, VsdId vsd) const;
  bool overlap_known(NodeId x, NodeId y, VsdId vsd) const;
  void end_overlap(const Overlap& overlap);
  Duration shortest_silence(NodeId x, NodeId y) const;
  Duration bound(NodeId x, NodeId y) const;
  [[noreturn]] void broken(const std::string& sentence) const;

  World& world_;
  std::array<NodeWatch, kMaxNodes> nodes_{};
  std::array<std::array<Complaint, kMaxNodes>, kMaxNodes> complaints_{};  // [to whom][by whom]
  std::vector<Overlap> overlaps_;
  std::vector<Duty> duties_;
  std::array<std::optional<NodeId>, kVsds> last_announcer_{};
  Tally tally_;
};

}  // namespace nsrp::sim
