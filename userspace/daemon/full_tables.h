// SPDX-License-Identifier: Apache-2.0
// Tells the operator when a table of the data path has no room: what finds none is forwarded all the same, but by the
// stack only, or without a copy at the peer. Told once when it begins, and once when it is over, not for each session.
//
//   FullTables tables;
//   for (const std::string& text : tables.observe({.sessions = 0, .fast_path = 0}, now)) tell(text);
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace nsrp::daemon {

class FullTables {
 public:
  // How many found no room, as the data path has counted them.
  struct Counted {
    uint64_t sessions = 0;
    uint64_t fast_path = 0;
  };
  // Whatever was counted before the first look is not news.
  std::vector<std::string> observe(const Counted& counted, Instant now);

 private:
  struct Table {
    std::string_view name;
    bool known = false, full = false;
    uint64_t counted = 0, left_out = 0;
    Instant grew{};
  };
  static void look(Table& table, uint64_t counted, Instant now, std::vector<std::string>& news);

  Table sessions_{"sessions"}, fast_path_{"fast-path"};
};

}  // namespace nsrp::daemon
