// SPDX-License-Identifier: Apache-2.0
// Audits between two mirrors: what differs is found and mended, whatever goes on meanwhile; what does not is never
// called different.
#include "rto/audit.h"

#include <doctest/doctest.h>

#include "rto/digest.h"
#include "world.h"

using namespace nsrp;
using namespace nsrp::rto;
using namespace nsrp::rto::test;

namespace {

constexpr VsdSet kVsd0 = VsdSet::from_bits(1);

// Side 0 masters VSD 0 and has told `sessions` of them.
struct AuditedPair : World {
  explicit AuditedPair(uint64_t seed, uint32_t sessions) : World(seed) {
    master(0, kVsd0);
    for (uint32_t i = 0; i < sessions; ++i) change(0, session(i));
    connect();
    settle();
    REQUIRE(side(1).in_sync);
  }

  void churn() {
    if (random(3) != 0) return;
    const auto number = static_cast<uint32_t>(random(300));
    if (random(4) == 0) {
      end(0, {tuple(number), VsdId{0}});
    } else {
      change(0, session(number, 0, ++generation_));
    }
  }

  void check_equal() {
    REQUIRE(side(0).table.size() == side(1).table.size());
    for (const auto& [key, record] : side(0).table) {
      const auto found = side(1).table.find(key);
      REQUIRE(found != side(1).table.end());
      REQUIRE(same(record.session, found->second.session));
    }
  }

 private:
  uint32_t generation_ = 10;
};

}  // namespace

TEST_CASE("a digest is of what is mirrored, and of nothing else") {
  const uint64_t digest = digest_of(session(1));
  CHECK(digest != digest_of(session(2)));
  const auto changed = [&](auto change) {
    Session other = session(1);
    change(other);
    return digest_of(other) != digest;
  };
  CHECK(changed([](Session& s) { s.session.reply.dport ^= 1; }));
  CHECK(changed([](Session& s) { s.key.zone = 7; }));
  CHECK(changed([](Session& s) { ++s.session.ct_mark; }));
  CHECK(changed([](Session& s) { ++s.session.tcp_state; }));
  CHECK(changed([](Session& s) { ++s.session.vsd; }));
  CHECK(changed([](Session& s) { s.session.ct_status ^= 1u << 2; }));
  CHECK_FALSE(changed([](Session& s) { s.session.ct_status ^= 1u << 14; }));
  CHECK_FALSE(changed([](Session& s) { s.session.generation += 5; }));
  CHECK_FALSE(changed([](Session& s) { s.session.timeout_s += 5; }));
  CHECK_FALSE(changed([](Session& s) { s.session.flags ^= 3; }));
  CHECK_FALSE(changed([](Session& s) { s.session.last_seen_ns += 5; }));
}

TEST_CASE("keys spread evenly over the buckets") {
  std::vector<int> hits(1 << 8);
  for (uint32_t i = 0; i < 25600; ++i) ++hits[bucket_of(hash_of(tuple(i)), 8)];
  for (const int each : hits) {
    CHECK(each > 50);
    CHECK(each < 160);
  }
  CHECK(bucket_of(~uint64_t{0}, 0) == 0);
}

TEST_CASE("equal tables are found equal, and every bucket is compared") {
  AuditedPair pair(1, 200);
  pair.audit(2);
  const MirrorView there = pair.side(0).mirror.view(), here = pair.side(1).mirror.view();
  CHECK(there.audit_there.rounds == 2);
  CHECK(there.audit_there.compared == 32);
  CHECK(there.audit_there.differing == 0);
  CHECK(here.audit_here.compared == 32);
  CHECK(here.audit_here.differing == 0);
  CHECK(pair.now() - *here.audit_here.oldest < seconds(2));
  CHECK(pair.now() - *there.audit_there.oldest < seconds(2));
  CHECK(pair.connected());
}

TEST_CASE("under churn nothing is called different, and every bucket has its turn") {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    AuditedPair pair(seed, 200);
    pair.audit(6, [&] { pair.churn(); });
    const AuditView found = pair.side(1).mirror.view().audit_here;
    CHECK(found.differing == 0);
    CHECK(found.compared > 0);
    CHECK(pair.side(1).in_sync);
    pair.check_equal();
    pair.audit();
    CHECK(pair.now() - *pair.side(1).mirror.view().audit_here.oldest < seconds(2));
  }
}

TEST_CASE("a difference is found and mended, with and without churn") {
  using Table = decltype(Side::table);
  const std::vector<std::pair<const char*, void (*)(Table&)>> damages = {
      {"a lost entry", [](Table& copy) { copy.erase(tuple(7)); }},
      {"a surplus entry",
       [](Table& copy) {
         copy.insert({tuple(5000), {session(5000), 0}});
       }},
      {"an altered entry", [](Table& copy) { copy.at(tuple(9)).session.session.ct_mark = 99; }},
      {"another translation", [](Table& copy) { copy.at(tuple(9)).session.session.reply.dport ^= 0x0101; }},
      {"everything lost", [](Table& copy) { copy.clear(); }},
  };
  for (const auto& [damage, inflict] : damages) {
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      CAPTURE(damage);
      CAPTURE(seed);
      AuditedPair pair(seed, 200);
      inflict(pair.side(1).table);
      const bool quiet = seed % 2 != 0;
      pair.audit(
          5, quiet ? std::function<void()>{} : [&] { pair.churn(); });
      pair.audit(2);
      pair.check_equal();
      CHECK(pair.side(1).in_sync);
      const AuditView here = pair.side(1).mirror.view().audit_here, there = pair.side(0).mirror.view().audit_there;
      if (quiet) {  // else the entry may have been told again before it was found
        CHECK(here.differing > 0);
        CHECK(pair.side(1).differing == here.differing);
        CHECK(there.differing == here.differing);
      }
      CHECK(here.repaired == here.differing);
      CHECK(there.repaired == here.repaired);
      CHECK(pair.now() - *here.oldest < seconds(2));
    }
  }
}

TEST_CASE("a change whose news is still to be swept up is no difference") {
  AuditedPair pair(3, 50);
  Session changed = session(4, 0, 77);
  changed.session.ct_mark = 5;
  changed.session.flags = NSRP_SESSION_DIRTY;  // the ring was full
  pair.side(0).table.at(tuple(4)).session = changed;
  pair.audit();
  CHECK(pair.side(1).mirror.view().audit_here.differing == 0);
  CHECK(pair.side(1).table.at(tuple(4)).session.session.ct_mark == 5);
}

TEST_CASE("a member that is not in sync, or masters the VSD as well, does not compare") {
  AuditedPair pair(4, 50);
  SUBCASE("it lacks sessions") {
    pair.carry_out(1, pair.side(1).mirror.on_given_up(1));
  }
  SUBCASE("two masters") {
    pair.master(1, kVsd0);
  }
  pair.side(1).table.erase(tuple(3));
  for (int i = 0; i < 3000; ++i) {
    pair.wait(milliseconds(1));
    pair.step();
  }
  CHECK(pair.side(1).mirror.view().audit_here.compared == 0);
  CHECK(pair.side(1).differing == 0);
  CHECK(pair.connected());
}

TEST_CASE("buckets keep their age when their number changes") {
  AuditedPair pair(5, 100);
  pair.audit();
  const Instant before = *pair.side(1).mirror.view().audit_here.oldest;
  for (uint32_t i = 1000; i < 3000; ++i) pair.change(0, session(i));
  pair.settle();
  pair.audit(2);  // the first one has learned how many there are
  const AuditView found = pair.side(1).mirror.view().audit_here;
  CHECK(found.compared == 16 + 16 + 256);
  CHECK(*found.oldest > before);
  CHECK(found.differing == 0);
}
