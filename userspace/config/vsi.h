// SPDX-License-Identifier: Apache-2.0
// A VID names a VSI on the data link, so there can be no more VSIs than VIDs.
#pragma once

#include <cstddef>

namespace nsrp::config {

constexpr size_t kVsiLimit = 4094;

}  // namespace nsrp::config
