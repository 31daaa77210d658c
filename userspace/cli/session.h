// SPDX-License-Identifier: Apache-2.0
// A conversation with one daemon.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace nsrp::cli {

struct Answer {
  int exit = 0;  // 0 done, 1 refused
  std::string out, err;
};

class Session {
 public:
  Session(std::string socket_path, bool json) : path_(std::move(socket_path)), json_(json) {}

  // An error means that no daemon answered.
  Result<Answer> run(const std::vector<std::string>& words) const { return ask(words, json_); }
  Result<Answer> ask(const std::vector<std::string>& words, bool json) const;
  // "word<TAB>help" per line.
  Result<std::vector<std::string>> completions(const std::vector<std::string>& words) const;

 private:
  std::string path_;
  bool json_;
};

}  // namespace nsrp::cli
