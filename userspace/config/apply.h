// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config/language.h"

namespace nsrp::config {

// apply() without its check of the whole. On error `config` may be half changed.
Status apply_unchecked(Config& config, const Command& command);

}  // namespace nsrp::config
