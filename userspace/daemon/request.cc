// SPDX-License-Identifier: Apache-2.0
#include "daemon/request.h"

#include <nlohmann/json.hpp>

namespace nsrp::daemon {

Result<Request> parse_request(std::string_view line) {
  using Json = nlohmann::json;
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return fail("the request is not a JSON object");
  try {
    const bool complete = json.contains("complete");
    return Request{.words = json.at(complete ? "complete" : "words").get<config::Words>(),
                   .complete = complete,
                   .json = json.value("json", false)};
  } catch (const Json::exception&) {
    return fail("the request needs \"words\" or \"complete\": a list of strings");
  }
}

}  // namespace nsrp::daemon
