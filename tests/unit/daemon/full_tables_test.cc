// SPDX-License-Identifier: Apache-2.0
#include "daemon/full_tables.h"

#include <doctest/doctest.h>

using namespace nsrp;
using daemon::FullTables;
using News = std::vector<std::string>;

namespace {

Instant at(int64_t seconds_later) {
  return Instant(seconds(1000 + seconds_later));
}

}  // namespace

TEST_CASE("a table that becomes full is told of once, and again when a minute was without loss") {
  FullTables tables;
  CHECK(tables.observe({0, 0}, at(0)).empty());
  CHECK(tables.observe({3, 0}, at(1)) == News{"table=sessions full=yes"});
  CHECK(tables.observe({10, 0}, at(2)).empty());
  CHECK(tables.observe({10, 0}, at(61)).empty());
  CHECK(tables.observe({10, 0}, at(62)) == News{"table=sessions full=no left_out=10"});
  CHECK(tables.observe({10, 0}, at(300)).empty());
  CHECK(tables.observe({11, 0}, at(301)) == News{"table=sessions full=yes"});
  CHECK(tables.observe({11, 0}, at(361)) == News{"table=sessions full=no left_out=1"});
}

TEST_CASE("the table of the fast path is told of by its own name") {
  FullTables tables;
  CHECK(tables.observe({0, 0}, at(0)).empty());
  CHECK(tables.observe({0, 1}, at(1)) == News{"table=fast-path full=yes"});
  CHECK(tables.observe({1, 2}, at(2)) == News{"table=sessions full=yes"});
}

TEST_CASE("what an earlier run had counted is not news, and cleared counters are none either") {
  FullTables tables;
  CHECK(tables.observe({500, 70}, at(0)).empty());
  CHECK(tables.observe({500, 70}, at(1)).empty());
  CHECK(tables.observe({0, 0}, at(2)).empty());
  CHECK(tables.observe({1, 0}, at(3)) == News{"table=sessions full=yes"});
}
