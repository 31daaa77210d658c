// SPDX-License-Identifier: Apache-2.0
#include "core/transitions.h"

#include <array>

namespace nsrp::core {

namespace {

template <class... States>
StateSet set_of(States... states) {
  StateSet set;
  (set.set(static_cast<size_t>(states)), ...);
  return set;
}

constexpr auto kI = VsdState::kInitial, kM = VsdState::kMaster, kP = VsdState::kPrimaryBackup, kB = VsdState::kBackup,
               kX = VsdState::kIneligible, kF = VsdState::kInoperable;

constexpr std::string_view kStates = "ch. 1, VSD Group Member States";
constexpr std::string_view kPreempt = "ch. 1, Preempt Option";
constexpr std::string_view kFailover = "ch. 3, Device Failover";

const std::array<Transition, kCauses>& table() {
  static const std::array<Transition, kCauses> rows = {{
      {Cause::kResumed, "resumed", set_of(kI), set_of(kM),
       "The daemon restarts, and the lease of its former run is still in force: nobody can have taken over, so the "
       "mastership goes on under its term.",
       ""},
      {Cause::kElected, "elected", set_of(kI, kP, kB), set_of(kM),
       "No master is heard and none is told of, everything this member had to wait for has passed, and of those able "
       "to be master it ranks first: named by the last master, operable, in sync, primary backup, priority, unit id.",
       kStates},
      {Cause::kSucceeded, "succeeded", set_of(kI, kP, kB, kF), set_of(kM),
       "The last master has released the VSD group and named this member: after a preemption, a command, an orderly "
       "stop, or a failure that it has noticed itself.",
       kPreempt},
      {Cause::kLastResort, "last resort", set_of(kF), set_of(kM),
       "All members are inoperable and master-always-exist is set: the best of them is master nevertheless.",
       kFailover},
      {Cause::kHoldOver, "hold over", set_of(kI), set_of(kB),
       "The initial hold (init-hold x hb-interval) has passed, there is no master, and another member goes first.",
       kStates},
      {Cause::kRanked, "ranked", set_of(kI, kP, kB), set_of(kP, kB),
       "There is a master. The best of its backups is primary backup and stays it until it steps down; the master's "
       "RTO peer has precedence over any priority. Whoever is in the initial state listens for the initial hold first.",
       kStates},
      {Cause::kHearsayMaster, "told of a master", set_of(kI, kP), set_of(kB),
       "Another member hears a master that this one does not hear: it is not ours to replace, and we are not the next.",
       ""},
      {Cause::kHandedOver, "handed over", set_of(kM), set_of(kB, kI, kX, kF),
       "A planned switch is complete: the sessions are at the successor, the lease is revoked, the successor is named. "
       "Asked for by a better priority with preempt, by a command, by an orderly stop, or because a monitor failed.",
       kPreempt},
      {Cause::kStopsAlone, "stops alone", set_of(kM), set_of(kB),
       "The daemon stops in order and no other member is able to take over.", ""},
      {Cause::kLapsed, "lapsed", set_of(kM), set_of(kB),
       "The lease ran out because the process stood still, or could not be renewed because a member that is heard does "
       "not hear this one. The others may have taken over, so it listens for a whole silence limit.",
       ""},
      {Cause::kYielded, "yielded", set_of(kM), set_of(kB),
       "Two masters met after a separation, and the other one's claim is better: it cannot hear that it should yield, "
       "or its term is higher, or its priority, or its unit id.",
       ""},
      {Cause::kFailed, "failed", set_of(kI, kM, kP, kB), set_of(kF),
       "A monitored interface, zone, address or the device itself has failed beyond its threshold. A master without a "
       "successor goes, too, unless master-always-exist is set.",
       kFailover},
      {Cause::kOperableAgain, "operable again", set_of(kF), set_of(kI),
       "What had failed works again; the initial hold is served anew.", kStates},
      {Cause::kCommandedIneligible, "commanded ineligible", set_of(kI, kP, kB, kF), set_of(kX),
       "exec nsrp vsd-group id N mode ineligible. A master hands over first, and keeps the group when nobody can take "
       "it.",
       kStates},
      {Cause::kCommandedInitial, "commanded initial", set_of(kX, kP, kB), set_of(kI),
       "exec nsrp vsd-group id N mode init, or any other mode for an ineligible member: whatever ends that state, the "
       "initial state comes next.",
       kStates},
      {Cause::kConfiguredIneligible, "configured ineligible", set_of(kI, kP, kB, kF), set_of(kX),
       "set nsrp vsd-group id N mode ineligible is in the configuration.", kStates},
      {Cause::kEligibleAgain, "eligible again", set_of(kX), set_of(kI), "That line was taken out of the configuration.",
       kStates},
      {Cause::kGroupRemoved, "group removed", set_of(kM, kP, kB, kX, kF), set_of(kI),
       "The VSD group was taken out of the configuration; the last that is heard of it.", ""},
  }};
  return rows;
}

constexpr std::array kAll = {kI, kM, kP, kB, kX, kF};

struct About {
  VsdState state;
  std::string_view text;
};

// In this implementation's words: what a member in this state does.
constexpr std::array kAbout = {
    About{kI, "Has just joined, or come back. Listens for init-hold x hb-interval before it takes any part."},
    About{kM,
          "Holds the lease: the data path answers for the virtual addresses and forwards. Renews the lease with "
          "each heartbeat."},
    About{kP, "The first of the backups, and the one that takes over. Holds the sessions if it is the RTO peer."},
    About{kB, "Follows the master, or waits in an election for a better member to act."},
    About{kX, "Out of the election because the operator wants it so. Goes on talking."},
    About{kF, "Out of the election because a monitor says so. Goes on talking."},
};

std::string names(const StateSet& set) {
  std::string text;
  for (const VsdState state : kAll) {
    if (set.test(static_cast<size_t>(state))) text += (text.empty() ? "" : ", ") + std::string(to_string(state));
  }
  return text;
}

std::string reasons(VsdState from, VsdState to) {
  std::string text;
  for (const Transition& row : table()) {
    if (allowed(from, to, row.cause)) text += (text.empty() ? "" : ", ") + std::string(row.name);
  }
  return text;
}

std::string matrix() {
  std::string text = "| from \\ to |";
  for (const VsdState to : kAll) text += " " + std::string(to_string(to)) + " |";
  text += "\n|---|---|---|---|---|---|---|\n";
  for (const VsdState from : kAll) {
    text += "| **" + std::string(to_string(from)) + "** |";
    for (const VsdState to : kAll) {
      const std::string why = reasons(from, to);
      text += " " + (why.empty() ? std::string("-") : why) + " |";
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::span<const Transition> transitions() {
  return table();
}

bool allowed(VsdState from, VsdState to, Cause cause) {
  const Transition& row = table().at(static_cast<size_t>(cause));
  return from != to && row.from.test(static_cast<size_t>(from)) && row.to.test(static_cast<size_t>(to));
}

std::string describe_states() {
  std::string text =
      "# States of a VSD group's member\n\n"
      "Made from the table in `userspace/core/transitions.cc`; `cmake --build BUILDDIR --target docs_states` writes it "
      "anew.\nA change that is not in it cannot happen: the daemon's core names a row with each change, the simulator "
      "and the tests\nrun with the assertion that the row allows it. Chapters are those of the ScreenOS High "
      "Availability volume.\n\n## States\n\n| state | what a member does in it |\n|---|---|\n";
  for (const About& about : kAbout) {
    text += "| " + std::string(to_string(about.state)) + " | " + std::string(about.text) + " |\n";
  }
  text += "\n## Who becomes what, and why\n\n" + matrix() + "\n## Causes\n\n| cause | from | to | when | manual |\n" +
          "|---|---|---|---|---|\n";
  for (const Transition& row : table()) {
    text += "| " + std::string(row.name) + " | " + names(row.from) + " | " + names(row.to) + " | " +
            std::string(row.sentence) + " | " + (row.manual.empty() ? "-" : std::string(row.manual)) + " |\n";
  }
  return text;
}

}  // namespace nsrp::core
