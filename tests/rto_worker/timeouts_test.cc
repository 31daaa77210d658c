// SPDX-License-Identifier: Apache-2.0
// Conntrack's timeouts of sessions that change hands.
#include <doctest/doctest.h>

#include "gateway.h"

using namespace nsrp;
using namespace nsrp::test;

namespace {

const std::set<VsdId> kVsd0 = {VsdId{0}};
constexpr int kFloor = 580;  // 600 s, a moment ago

// A masters VSD 0; both are connected and in sync.
struct Mirrored : Pair {
  Mirrored() {
    a.master(kVsd0);
    meet();
    REQUIRE(eventually([&] { return a.in_sync() && b.in_sync(); }));
  }
};

bool within(int value, int least, int most) {
  return least <= value && value <= most;
}

}  // namespace

TEST_CASE("what a device keeps when it loses a VSD does not run out there") {
  Mirrored pair;
  pair.a.traffic(udp_session(1, 30));
  pair.a.traffic(session(2));
  SessionEntry other_vsd = udp_session(3, 30);
  other_vsd.session.vsd = 1;
  pair.a.traffic(other_vsd);
  CHECK(pair.a.timeout_s(udp_session(1, 30)) <= 30);
  pair.a.master({});
  pair.b.master(kVsd0);
  CHECK(eventually([&] { return pair.a.timeout_s(udp_session(1, 30)) > kFloor; }));
  CHECK(eventually([&] { return pair.a.timeout_s(session(2)) > kFloor; }));
  CHECK(pair.a.timeout_s(other_vsd) <= 30);
  pair.b.conntrack_ends(udp_session(1, 30).key);
  CHECK(eventually([&] { return !pair.a.record(udp_session(1, 30).key); }));
  CHECK(pair.a.timeout_s(udp_session(1, 30)) == -1);
}

TEST_CASE("a device that takes over gives what it kept the timeout that is left, and traffic's own is not touched") {
  Mirrored pair;
  const SessionEntry idle = udp_session(1, 100), busy = udp_session(2, 100), tcp = session(3);
  for (const SessionEntry& each : {idle, busy, tcp}) pair.a.traffic(each);
  REQUIRE(eventually([&] { return pair.b.has(idle) && pair.b.has(busy) && pair.b.has(tcp); }));
  CHECK(pair.b.timeout_s(idle) > kFloor);
  pair.a.stop_worker();
  pair.b.master(kVsd0);
  SessionEntry refreshed = busy;
  refreshed.session.timeout_s = 900;
  pair.b.traffic(refreshed);
  CHECK(pair.b.timeout_s(idle) > kFloor);  // the takeover itself touches nothing
  CHECK(eventually([&] { return within(pair.b.timeout_s(idle), 5, 100); }));
  CHECK(within(pair.b.timeout_s(busy), 800, 900));
  CHECK(pair.b.timeout_s(tcp) > 400'000);
}

TEST_CASE("what a device kept gets its timeout back when the VSD returns to it") {
  Mirrored pair;
  const SessionEntry idle = udp_session(1, 100);
  pair.a.traffic(idle);
  REQUIRE(eventually([&] { return pair.b.has(idle); }));
  pair.a.master({});
  CHECK(eventually([&] { return pair.a.timeout_s(idle) > kFloor; }));
  pair.a.master(kVsd0);
  CHECK(eventually([&] { return within(pair.a.timeout_s(idle), 5, 100); }));
}

TEST_CASE("the peer is told what is left of a session, not what its latest packet gave it") {
  Pair pair;
  pair.a.old_traffic(udp_session(1, 200));  // a minute ago, of which half a minute may have been refreshed unseen
  pair.a.traffic(session(2));               // its latest packet was not acknowledged yet: 300 s for the time being
  pair.a.master(kVsd0);
  pair.meet();
  REQUIRE(eventually([&] { return pair.b.in_sync() && pair.b.records() == 2; }));
  CHECK(within(static_cast<int>(pair.b.record(udp_session(1, 200).key)->timeout_s), 150, 170));
  CHECK(pair.b.record(session(2).key)->timeout_s > 400'000);
  CHECK(pair.b.timeout_s(session(2)) > 400'000);
}
