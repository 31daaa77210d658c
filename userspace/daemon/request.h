// SPDX-License-Identifier: Apache-2.0
// What a client writes on the control socket, one JSON object a line (io/control_socket.h): words to carry out, or
// words to complete.
#pragma once

#include <string_view>

#include "base/result.h"
#include "config/language.h"

namespace nsrp::daemon {

struct Request {
  config::Words words;
  bool complete = false;  // tell how the last word may go on
  bool json = false;      // the answer as JSON
};

// Any bytes: a request, or a sentence for who wrote it.
Result<Request> parse_request(std::string_view line);

}  // namespace nsrp::daemon
