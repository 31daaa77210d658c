// SPDX-License-Identifier: Apache-2.0
// Plays a scenario with the checkers on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/safety.h"
#include "sim/scenario.h"

namespace nsrp::sim {

struct Outcome {
  std::optional<std::string> broken;
  Duration simulated{0};
  uint64_t events = 0;
  Tally tally;
  std::string trace;                 // what the members did, when asked for
  std::vector<std::string> records;  // each node as a golden case, from its first start on, when asked for
};

struct PlayOptions {
  size_t trace_lines = 0;
  bool records = false;
};

Outcome play(const Scenario& scenario, const PlayOptions& options = {});

}  // namespace nsrp::sim
