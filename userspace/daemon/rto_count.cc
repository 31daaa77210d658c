// SPDX-License-Identifier: Apache-2.0
#include "daemon/rto_count.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace nsrp::daemon {
namespace {

constexpr size_t kRecordsPerStep = 2048;

// The operator may have set the counter to zero meanwhile.
uint64_t growth(uint64_t before, uint64_t now) {
  return now >= before ? now - before : now;
}

}  // namespace

Status SessionCount::begin(uint64_t created) {
  const Result<size_t> all = table_.count();
  if (!all) return fail(all.error());
  known_ = *all;
  since_ = reading_since_ = changes(created);
  return {};
}

size_t SessionCount::value(uint64_t created) const {
  const Changes now = changes(created);
  const uint64_t come = known_ + growth(since_.created, now.created) + (now.added - since_.added);
  const uint64_t gone = now.removed - since_.removed;
  return come > gone ? come - gone : 0;
}

// While a table is read that changes, the sum is no better than the changes are many: the reckoning counts, unless it
// is further off than that. It is off by one for each flow that took the place of another of the same tuple.
Status SessionCount::read_some(uint64_t created) {
  std::vector<kernel::SessionEntry> records;
  if (Status read = table_.read(cursor_, kRecordsPerStep, records); !read) return read;
  read_ += records.size();
  if (!cursor_.at_end()) return {};
  const size_t found = std::exchange(read_, 0), reckoned = value(created);
  const Changes now = changes(created), before = std::exchange(reading_since_, now);
  const uint64_t changed =
      growth(before.created, now.created) + (now.added - before.added) + (now.removed - before.removed);
  cursor_ = {};
  if (std::max(found, reckoned) - std::min(found, reckoned) <= changed) return {};
  known_ = found;
  since_ = now;
  return {};
}

}  // namespace nsrp::daemon
