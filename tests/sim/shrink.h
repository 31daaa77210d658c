// SPDX-License-Identifier: Apache-2.0
// A failing scenario made short: as few events, members, links and kinds of weather as still fail.
#pragma once

#include "sim/play.h"

namespace nsrp::sim {

Scenario shrink(Scenario failing, size_t plays = 600);

}  // namespace nsrp::sim
