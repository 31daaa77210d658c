// SPDX-License-Identifier: Apache-2.0
// Writes down what a Member is told and what it answers.
//
//   Recorder recorder({.description = "nsrpd on gwA", .settings = settings, .created = now, .boot_epoch = epoch});
//   Input input = HeartbeatIn{link, sent_on, heartbeat};
//   Result<core::Actions> actions = apply(member, now, input);
//   recorder.record(now, input, actions);
//   … write(file, recorder.take_lines()) …
#pragma once

#include <string>
#include <vector>

#include "golden/input.h"

namespace nsrp::golden {

// How the Member was made.
struct Beginning {
  std::string description;
  core::MemberSettings settings;
  Instant created{};
  uint64_t boot_epoch = 0;
  std::vector<core::AdoptedLease> adopted{};
};

class Recorder {
 public:
  explicit Recorder(const Beginning& beginning);
  void record(Instant now, const Input& input, const Result<core::Actions>& answer);
  std::string take_lines();  // what was written since the last call; whole lines

 private:
  Instant origin_;
  std::string lines_;
};

}  // namespace nsrp::golden
