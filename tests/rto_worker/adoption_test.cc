// SPDX-License-Identifier: Apache-2.0
// Sessions that were in conntrack before the daemon came.
#include <arpa/inet.h>
#include <doctest/doctest.h>

#include "gateway.h"

using namespace nsrp;
using namespace nsrp::test;

namespace {

const std::set<VsdId> kVsd0 = {VsdId{0}};

Prefix prefix(const char* text) {
  return *Prefix::parse(text);
}

// A stands between the client's network and, behind a router, the server's.
struct Adopting : Pair {
  explicit Adopting(uint8_t wan_vsd = 0) {
    const Inside inside(a.where);
    for (const std::string link : {"lan", "wan"}) {
      sh("ip link add " + link + " type veth peer name far-" + link + " && ip link set " + link +
         " up && ip link set far-" + link + " up");
    }
    sh("ip addr add 10.1.0.2/24 dev lan && ip addr add 203.0.113.2/24 dev wan && "
       "ip route add 192.0.2.0/24 via 203.0.113.9");
    a.worker->set_vsis({{Vid{1}, VsdId{0}, IfIndex{ifindex("lan")}, {prefix("10.1.0.1/24")}},
                        {Vid{2}, VsdId{wan_vsd}, IfIndex{ifindex("wan")}, {prefix("203.0.113.1/24")}}});
  }
};

SessionEntry of_the_device_itself(uint16_t number) {
  SessionEntry entry = session(number);
  entry.key.saddr[3] = 2;  // 10.1.0.2
  entry.session.reply = session(number).session.reply;
  return entry;
}

}  // namespace

TEST_CASE("idle sessions that were there before the daemon are mirrored, those of the device itself are not") {
  Adopting pair;
  for (uint16_t n = 0; n < 300; ++n) pair.a.only_in_conntrack(session(n));
  pair.a.only_in_conntrack(of_the_device_itself(900));
  pair.a.traffic(session(500));
  pair.a.master(kVsd0);
  pair.meet();
  REQUIRE(eventually([&] { return pair.b.records() >= 301; }));
  CHECK(eventually([&] { return pair.b.has(session(7)) && pair.b.has(session(500)); }));
  CHECK(pair.b.timeout_s(session(7)) > 400);
  CHECK(pair.a.records() == 301);
  CHECK_FALSE(pair.b.record(of_the_device_itself(900).key));
  pair.a.conntrack_ends(session(7).key);
  CHECK(eventually([&] { return !pair.b.record(session(7).key); }));
}

TEST_CASE("what was there before belongs to the VSD it would leave through") {
  Adopting pair(1);
  pair.a.only_in_conntrack(session(1));
  pair.a.master(kVsd0);
  pair.meet();
  pair.a.traffic(session(2));
  REQUIRE(eventually([&] { return pair.b.has(session(2)); }));
  CHECK_FALSE(eventually([&] { return pair.b.record(session(1).key).has_value(); }, seconds(5)));
  pair.a.master({VsdId{0}, VsdId{1}});
  CHECK(eventually([&] { return pair.b.has(session(1)); }));
  CHECK(pair.b.record(session(1).key)->vsd == 1);
}

TEST_CASE("what the master did not tell of is not brought back by the backup it tells") {
  Adopting pair;
  pair.a.only_in_conntrack(session(1));
  pair.b.master(kVsd0);
  pair.meet();
  REQUIRE(eventually([&] { return pair.a.in_sync() && pair.b.in_sync(); }));
  pair.a.master(kVsd0);
  pair.b.master({});
  pair.a.traffic(session(2));
  REQUIRE(eventually([&] { return pair.b.has(session(2)); }));
  CHECK_FALSE(eventually([&] { return pair.a.record(session(1).key).has_value(); }, seconds(5)));
}
