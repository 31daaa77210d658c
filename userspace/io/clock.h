// SPDX-License-Identifier: Apache-2.0
// The one place that reads the time.
#pragma once

#include <time.h>

#include "base/time.h"

namespace nsrp::io {

inline Instant now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return Instant(seconds(t.tv_sec) + Duration(t.tv_nsec));
}

}  // namespace nsrp::io
