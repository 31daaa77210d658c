// SPDX-License-Identifier: Apache-2.0
// Sessions made at a steady rate: one packet each, put onto a wire below the sender's own network stack.
#pragma once

#include "options.h"

namespace nsrp::sessions {

struct StormResult {
  uint64_t sent = 0, refused = 0;  // refused: the device took no more at that moment
  double seconds = 0;
  double cpu_seconds = 0;  // with what the gateways' kernels did meanwhile on the sender's processor time
};

Result<StormResult> run_storm(const StormOptions& options);

}  // namespace nsrp::sessions
