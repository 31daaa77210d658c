// SPDX-License-Identifier: Apache-2.0
#include "cli/session.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "io/control_socket.h"

namespace nsrp::cli {

namespace {

using Json = nlohmann::json;

Result<Answer> exchange(const std::string& path, const Json& request) {
  const Result<std::string> line =
      io::ask_control_socket(path, request.dump(-1, ' ', false, Json::error_handler_t::replace));
  if (!line) return fail(line.error());
  const Json reply = Json::parse(*line, nullptr, false);
  if (!reply.is_object()) return fail("the daemon's answer is not understood; are nsrp and nsrpd of one version?");
  return Answer{reply.value("exit", 1), reply.value("out", ""), reply.value("err", "")};
}

}  // namespace

Result<Answer> Session::ask(const std::vector<std::string>& words, bool json) const {
  return exchange(path_, {{"words", words}, {"json", json}});
}

Result<std::vector<std::string>> Session::completions(const std::vector<std::string>& words) const {
  const Result<Answer> answer = exchange(path_, {{"complete", words}});
  if (!answer) return fail(answer.error());
  std::vector<std::string> lines;
  std::istringstream in(answer->out);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace nsrp::cli
