// SPDX-License-Identifier: Apache-2.0
// What can be told to a Member, as values: one type for each of its functions.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "base/result.h"
#include "core/member.h"

namespace nsrp::golden {

struct Start {};
struct HeartbeatIn {
  core::LinkIndex link, sent_on;
  core::Heartbeat heartbeat;
};
struct LinkIn {
  core::LinkIndex link;
  core::LinkFacts facts;
};
struct SyncIn {
  bool in_sync;
  UnitId rto_peer;
};
struct HealthIn {
  std::optional<VsdId> vsd;
  bool operable;
  std::string reason;
};
struct BarrierDone {
  VsdId vsd;
};
struct ProbeAnswer {
  core::LinkIndex link;
  uint64_t id;
};
struct ProbeCommand {
  core::LinkIndex link;
  std::optional<MacAddress> to;
  uint8_t count;
};
struct SettingsIn {
  core::MemberSettings settings;
};
struct Command {
  VsdId vsd;
  core::ModeCommand mode;
};
struct ClearCommand {};
struct Leave {};
struct Time {};  // its deadline has come

using Input = std::variant<Start, HeartbeatIn, LinkIn, SyncIn, HealthIn, BarrierDone, ProbeAnswer, ProbeCommand,
                           SettingsIn, Command, ClearCommand, Leave, Time>;

// Tells it to the member. An error is a command that was refused.
Result<core::Actions> apply(core::Member& member, Instant now, const Input& input);

}  // namespace nsrp::golden
