// SPDX-License-Identifier: Apache-2.0
// Every way a member of a VSD group changes its state: from where, to where, why. The one table of it: Member changes
// no state without naming a row, a change that stands in no row is a defect (assert in set_state), and docs/states.md
// is made from it.
#pragma once

#include <bitset>
#include <span>
#include <string>
#include <string_view>

#include "core/message.h"

namespace nsrp::core {

enum class Cause : uint8_t {
  kResumed,               // a restart within an adopted lease
  kElected,               // no master, and nobody better
  kSucceeded,             // the last master named this member
  kLastResort,            // master-always-exist
  kHoldOver,              // the initial hold has passed
  kRanked,                // among the backups of a living master
  kHearsayMaster,         // others hear a master that this member does not
  kHandedOver,            // a planned switch
  kStopsAlone,            // the daemon stops, nobody can take over
  kLapsed,                // the lease ran out or could not be renewed
  kYielded,               // two masters met
  kFailed,                // a monitor
  kOperableAgain,         // the same
  kCommandedIneligible,   // exec … mode ineligible
  kCommandedInitial,      // exec … mode, out of ineligible or back to initial
  kConfiguredIneligible,  // set … mode ineligible
  kEligibleAgain,         // unset … mode ineligible
  kGroupRemoved,          // unset nsrp vsd-group id
};
inline constexpr size_t kCauses = 18;

using StateSet = std::bitset<8>;  // by VsdState's value

struct Transition {
  Cause cause;
  std::string_view name;      // of the cause: "elected"
  StateSet from, to;          // each of `from` may become each of `to`, itself apart
  std::string_view sentence;  // when and why, for docs/states.md
  std::string_view manual;    // the section it follows; empty: the manual is silent
};

std::span<const Transition> transitions();  // one row for each cause, in its order
bool allowed(VsdState from, VsdState to, Cause cause);

// docs/states.md.
std::string describe_states();

}  // namespace nsrp::core
