// SPDX-License-Identifier: Apache-2.0
#include "daemon/full_tables.h"

namespace nsrp::daemon {

namespace {

// A table at its limit is full for a moment again and again.
constexpr seconds kOver{60};

}  // namespace

std::vector<std::string> FullTables::observe(const Counted& counted, Instant now) {
  std::vector<std::string> news;
  look(sessions_, counted.sessions, now, news);
  look(fast_path_, counted.fast_path, now, news);
  return news;
}

// Counters grow, and begin anew when the operator clears them.
void FullTables::look(Table& table, uint64_t counted, Instant now, std::vector<std::string>& news) {
  const bool grew = table.known && counted > table.counted;
  if (grew) {
    table.left_out += counted - table.counted;
    table.grew = now;
  }
  table.known = true;
  table.counted = counted;
  if (grew && !table.full) {
    table.full = true;
    news.push_back("table=" + std::string(table.name) + " full=yes");
  } else if (table.full && now - table.grew >= kOver) {
    news.push_back("table=" + std::string(table.name) + " full=no left_out=" + std::to_string(table.left_out));
    table.full = false;
    table.left_out = 0;
  }
}

}  // namespace nsrp::daemon
