// SPDX-License-Identifier: Apache-2.0
#include "rto/outbox.h"

#include <doctest/doctest.h>

#include "sessions.h"

using namespace nsrp;
using namespace nsrp::rto;
using namespace nsrp::rto::test;

TEST_CASE("changes of one session that wait become one, in the place of the first") {
  Outbox outbox;
  outbox.put(session(1, 0, 1));
  outbox.put(session(2));
  outbox.put(session(1, 0, 2));
  CHECK(outbox.size() == 2);
  const Outbox::Batch batch = outbox.take(1 << 16);
  REQUIRE(batch.puts.size() == 2);
  CHECK(same(batch.puts[0], session(1, 0, 2)));
  CHECK(outbox.empty());
}

TEST_CASE("the end of a session beats a put that still waits") {
  Outbox outbox;
  outbox.put(session(1));
  outbox.end({tuple(1), VsdId{0}});
  const Outbox::Batch batch = outbox.take(1 << 16);
  CHECK(batch.puts.empty());
  REQUIRE(batch.ends.size() == 1);
  CHECK(same(batch.ends[0].key, tuple(1)));
}

TEST_CASE("a put after an end is a new session: the peer hears of both") {
  Outbox outbox;
  outbox.end({tuple(1), VsdId{3}});
  outbox.put(session(1, 4));
  const Outbox::Batch batch = outbox.take(1 << 16);
  REQUIRE(batch.ends.size() == 1);
  CHECK(batch.ends[0].vsd == VsdId{3});
  REQUIRE(batch.puts.size() == 1);
  CHECK(batch.puts[0].session.vsd == 4);
}

TEST_CASE("what is taken fits into the bytes given") {
  Outbox outbox;
  for (uint32_t i = 0; i < 10; ++i) outbox.put(session(i));
  CHECK(outbox.take(2 * kHeaderBytes + kSessionBytes - 1).puts.empty());
  CHECK(outbox.take(2 * kHeaderBytes + 3 * kSessionBytes).puts.size() == 3);
  CHECK(outbox.size() == 7);
}

TEST_CASE("a mark is passed when everything before it was taken or dropped") {
  Outbox outbox;
  CHECK(outbox.passed(outbox.mark()));
  outbox.put(session(1));
  const uint64_t mark = outbox.mark();
  outbox.put(session(2));
  CHECK_FALSE(outbox.passed(mark));
  CHECK(outbox.take(2 * kHeaderBytes + kSessionBytes).puts.size() == 1);
  CHECK(outbox.passed(mark));
  const uint64_t later = outbox.mark();
  outbox.clear();
  CHECK(outbox.passed(later));
}
