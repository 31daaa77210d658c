// SPDX-License-Identifier: Apache-2.0
// A golden case: a file of JSON lines. The first describes the case and how the Member was made, each other one is a
// moment, what it was told then, and what it must answer. Times are nanoseconds since the Member was made.
//
//   Result<Case> c = parse_case(text);
//   if (const std::optional<Difference> d = play(*c)) …
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "golden/recorder.h"

namespace nsrp::golden {

struct Step {
  size_t line;  // in the file, from 1
  Instant at;
  Input input;
  std::string expected;  // the answer as the file has it, normalised
};

struct Case {
  Beginning beginning;
  std::vector<Step> steps;
};

struct Difference {
  size_t line;
  std::string expected, actual;
};

Result<Case> parse_case(std::string_view text);
// Tells a new Member all of it. Ends at the first difference: what follows would only be its consequences.
std::optional<Difference> play(const Case& golden);
// The same case with the answers of today's code.
std::string rewrite(const Case& golden);

}  // namespace nsrp::golden
