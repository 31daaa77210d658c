// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/model.h"

namespace nsrp::config {

// What is wrong with a configuration, and the beginnings of the commands it comes from, so that load() can name the
// line.
struct Problem {
  std::string message;
  std::vector<std::string> commands;  // as join_words() writes them: "set interface eth1 ip 10.1.1.1/24"
};

std::optional<Problem> find_problem(const Config& config);

}  // namespace nsrp::config
