// SPDX-License-Identifier: Apache-2.0
// Two conntrack tables, entry by entry.
#pragma once

#include <string>
#include <vector>

#include "flow.h"

namespace nsrp::sessions {

struct Comparison {
  size_t first = 0, second = 0;  // entries looked at
  size_t only_first = 0, only_second = 0, different = 0;
  std::vector<std::string> examples;
  bool equal() const { return only_first + only_second + different == 0; }
};

// Puts both in order. `examples`: how many differences are told in words.
Comparison compare(std::vector<Flow>& first, std::vector<Flow>& second, size_t examples);

}  // namespace nsrp::sessions
