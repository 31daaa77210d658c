// SPDX-License-Identifier: Apache-2.0
// Any line on the control socket: refused in a clean sentence, or words that the language takes or refuses.
#include <cstdlib>

#include "config/words.h"
#include "daemon/request.h"

namespace {

using namespace nsrp;

void check_message(const std::string& message) {
  if (message.empty() || !config::check_text(message)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto request = daemon::parse_request({reinterpret_cast<const char*>(data), size});
  if (!request) {
    check_message(request.error().message);
  } else if (request->complete) {
    for (const std::string& offer : config::completions(request->words)) {
      if (offer.find('\t') == std::string::npos) std::abort();
    }
  } else if (const auto command = config::parse(request->words); !command) {
    check_message(command.error().message);
  }
  return 0;
}
