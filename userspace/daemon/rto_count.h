// SPDX-License-Identifier: Apache-2.0
// How many session records there are, without reading them all: reckoned from what is known to have come and gone, and
// set right by reading the table in small steps.
//
//   SessionCount count(table);
//   count.begin(created);             // reads the whole table, once
//   count.read_some(created);         // now and then
//   count.value(created);
//
// `created` is the data path's counter of records that packets have made. Lives on the RTO thread.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "kernel/session_table.h"

namespace nsrp::daemon {

class SessionCount {
 public:
  explicit SessionCount(const kernel::SessionTable& table) : table_(table) {}

  Status begin(uint64_t created);
  Status read_some(uint64_t created);
  size_t value(uint64_t created) const;

 private:
  // What has changed the table, in numbers that only grow.
  struct Changes {
    uint64_t created, added, removed;
  };
  Changes changes(uint64_t created) const { return {created, table_.added(), table_.removed()}; }

  const kernel::SessionTable& table_;
  size_t known_ = 0;  // when what had happened until then was `since_`
  Changes since_{};
  kernel::SessionTable::Cursor cursor_;
  size_t read_ = 0;
  Changes reading_since_{};
};

}  // namespace nsrp::daemon
