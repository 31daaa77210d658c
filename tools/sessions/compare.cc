// SPDX-License-Identifier: Apache-2.0
#include "compare.h"

#include <algorithm>

namespace nsrp::sessions {

Comparison compare(std::vector<Flow>& first, std::vector<Flow>& second, size_t examples) {
  const auto earlier = [](const Flow& a, const Flow& b) { return by_name(a, b) < 0; };
  std::sort(first.begin(), first.end(), earlier);
  std::sort(second.begin(), second.end(), earlier);
  Comparison result;
  result.first = first.size();
  result.second = second.size();
  const auto tell = [&](const std::string& text) {
    if (result.examples.size() < examples) result.examples.push_back(text);
  };
  auto a = first.begin(), b = second.begin();
  while (a != first.end() || b != second.end()) {
    if (b == second.end() || (a != first.end() && earlier(*a, *b))) {
      ++result.only_first;
      tell("only in the first: " + to_string(*a++));
    } else if (a == first.end() || earlier(*b, *a)) {
      ++result.only_second;
      tell("only in the second: " + to_string(*b++));
    } else {
      const std::vector<std::string> found = differences(*a, *b);
      std::string what;
      for (const std::string& each : found) what += (what.empty() ? "" : ", ") + each;
      if (!found.empty()) {
        ++result.different;
        tell("different " + what + ": " + to_string(*a) + " | " + to_string(*b));
      }
      ++a, ++b;
    }
  }
  return result;
}

}  // namespace nsrp::sessions
