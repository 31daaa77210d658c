// SPDX-License-Identifier: Apache-2.0
// `exec nsrp vsd-group id N mode …`. What cannot be done is refused before anything changes.
#include "core/member_impl.h"

namespace nsrp::core {

namespace {

std::string group(VsdId vsd) {
  return "VSD group " + std::to_string(vsd.value);
}

}  // namespace

std::optional<std::string> Member::Impl::refusal(VsdId vsd, ModeCommand mode) const {
  const auto it = vsds.find(vsd);
  if (it == vsds.end()) return group(vsd) + " does not exist on this device";
  if (!started || leaving) return "the daemon is starting or stopping";
  const Vsd& v = it->second;
  if (v.state == VsdState::kInoperable && mode != ModeCommand::kIneligible) {
    return group(vsd) + " is inoperable here: " + v.inoperable_because;
  }
  if (v.state == VsdState::kMaster && mode == ModeCommand::kPrimaryBackup) {
    return "this device is master of " + group(vsd) + "; only a backup can become primary backup";
  }
  // Manual ch. 3, "Device Failover": the last device that is able to be master goes on being it.
  if (v.state == VsdState::kMaster && mode != ModeCommand::kMaster && successor(v) == nullptr) {
    return "no other member is able to be master of " + group(vsd) + "; this device keeps it";
  }
  if (v.state == VsdState::kInitial && mode == ModeCommand::kPrimaryBackup) {
    return group(vsd) + " is in the initial state; only a backup can become primary backup";
  }
  const bool asks = is_backup(v.state) && mode == ModeCommand::kMaster;
  if (asks && living_master(v) == nullptr) {
    return group(vsd) + " has no master now and an election is under way; try again after it";
  }
  if (asks && !in_sync_enough(v)) {
    return "this device does not hold the run-time objects of the master yet; a switch would break sessions";
  }
  return std::nullopt;
}

void Member::Impl::command(Vsd& v, ModeCommand mode) {
  v.bows_out = false;  // the operator's word of now goes before the configuration's
  if (v.state == VsdState::kMaster) {
    if (mode == ModeCommand::kBackup) command_master_away(v, VsdState::kBackup, "mode backup was commanded");
    if (mode == ModeCommand::kInitial) command_master_away(v, VsdState::kInitial, "mode init was commanded");
    if (mode == ModeCommand::kIneligible) {
      command_master_away(v, VsdState::kIneligible, "mode ineligible was commanded");
    }
    return;
  }
  if (mode == ModeCommand::kIneligible) {
    if (v.state != VsdState::kIneligible) {
      set_state(v, VsdState::kIneligible, Cause::kCommandedIneligible, "mode ineligible was commanded");
    }
    return;
  }
  // Manual ch. 1: whatever ends the ineligible state, the initial state comes next.
  if (v.state == VsdState::kIneligible || (mode == ModeCommand::kInitial && is_backup(v.state))) {
    become_initial(v, Cause::kCommandedInitial, "left the state " + std::string(to_string(v.state)) + " by command");
  }
  if (mode == ModeCommand::kMaster) {
    v.commanded = true;
  }
  if (mode == ModeCommand::kPrimaryBackup && v.state == VsdState::kBackup) v.insist_until = now + silence_limit();
}

void Member::Impl::command_master_away(Vsd& v, VsdState after, std::string cause) {
  if (v.handover) {
    v.handover->asked = false;
    v.handover->after = after;
    v.handover->cause = std::move(cause);
  } else if (const Peer* next = successor(v)) {
    begin_handover(v, next->unit, after, std::move(cause), false);
  }
}

}  // namespace nsrp::core
