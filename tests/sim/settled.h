// SPDX-License-Identifier: Apache-2.0
// What must be once the faults have ended and the bounds have passed: liveness. Judged by the state the World is in, so
// some faults may last: members down, inoperable, ineligible or without their RTOs, links dead in one way or both, as
// long as each two members in service hear each other on some link both ways.
//
//  * Every VSD that a member can master has exactly one, with a lease; of the other able ones one is primary backup and
//    the rest are backups; inoperable and ineligible ones say so; nobody is initial.
//  * With preempt a strictly better one in sync is master. None out of sync took over from one in sync (safety watches
//    that as it happens).
//  * The network was told last by the master.
//  * Two members agree on the roles of their links: control is the lowest that works both ways, data the next.
//  * Nothing changes any more.
#pragma once

#include "sim/safety.h"

namespace nsrp::sim {

class Settled {
 public:
  Settled(World& world, const Safety& safety) : world_(world), safety_(safety) {}

  bool judgeable() const;           // each two members in service hear each other
  Duration bound() const;           // from the end of the faults until all of this holds
  Duration takeover_bound() const;  // from the death of a master until the next
  void check() const;
  std::optional<NodeId> master(VsdId vsd) const;
  bool is_able(NodeId id, VsdId vsd) const;  // to be master
  size_t able(VsdId vsd) const;

 private:
  bool both_ways(NodeId a, NodeId b, LinkIndex link) const;
  void check_vsd(VsdId vsd) const;
  void check_preempted(VsdId vsd, NodeId master) const;
  void check_links() const;
  Duration silence() const;

  World& world_;
  const Safety& safety_;
};

}  // namespace nsrp::sim
