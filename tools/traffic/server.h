// SPDX-License-Identifier: Apache-2.0
// The echo server: every byte of a TCP connection and every UDP datagram goes back to where it came from.
#pragma once

#include "options.h"

namespace nsrp::traffic {

Status run_server(const ServerOptions& options);  // until SIGTERM or SIGINT

}  // namespace nsrp::traffic
