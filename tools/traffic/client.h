// SPDX-License-Identifier: Apache-2.0
// The client: TCP connections and UDP flows side by side on one thread. It prints lines of JSON: "ready" when all
// connections are up and echo, "progress" every second if asked, and "result" at the end.
#pragma once

#include "options.h"

namespace nsrp::traffic {

Status run_client(const ClientOptions& options);

}  // namespace nsrp::traffic
