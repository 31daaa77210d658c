// SPDX-License-Identifier: Apache-2.0
// The interactive CLI: history, completion with TAB, help with a trailing `?`. Reads plain lines when its input is no
// terminal.
#pragma once

#include "cli/session.h"

namespace nsrp::cli {

// Returns the exit code for the process: 0, 1 when a command of a script was refused, 2 when the daemon is gone.
int run_shell(const Session& session);

}  // namespace nsrp::cli
