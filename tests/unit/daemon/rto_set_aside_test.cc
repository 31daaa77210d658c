// SPDX-License-Identifier: Apache-2.0
#include "daemon/rto_set_aside.h"

#include <doctest/doctest.h>

using namespace nsrp;
using daemon::RtoSetAside;

namespace {

rto::Session numbered(size_t number) {
  rto::Session session{};
  session.key.sport = static_cast<uint16_t>(number);
  return session;
}

}  // namespace

TEST_CASE("few sessions can be set aside, many are not") {
  RtoSetAside aside;
  for (size_t n = 0; n < RtoSetAside::kMost; ++n) CHECK(aside.add(numbered(n)));
  CHECK_FALSE(aside.add(numbered(RtoSetAside::kMost)));
  CHECK(aside.add(numbered(3)));  // known, in a newer state
  CHECK(aside.size() == RtoSetAside::kMost);
  const nsrp_tuple key = numbered(7).key;
  aside.forget(std::span(&key, 1));
  CHECK(aside.add(numbered(RtoSetAside::kMost)));
}

TEST_CASE("what was set aside is tried again after a pause, until it is forgotten") {
  RtoSetAside aside;
  const Instant start{seconds(1000)};
  CHECK(aside.take_due(start).empty());
  aside.add(numbered(1));
  aside.add(numbered(2));
  CHECK(aside.take_due(start).size() == 2);
  CHECK(aside.take_due(start + seconds(1)).empty());
  aside.forget_if([](const rto::Session& session) { return session.key.sport == 1; });
  const auto due = aside.take_due(start + RtoSetAside::kPause);
  REQUIRE(due.size() == 1);
  CHECK(due[0].key.sport == 2);
}
