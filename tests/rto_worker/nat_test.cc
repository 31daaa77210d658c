// SPDX-License-Identifier: Apache-2.0
// Tuples that pass from one flow to another, with and without translation.
#include <doctest/doctest.h>

#include <algorithm>

#include "in_sync_pair.h"

using namespace nsrp;
using namespace nsrp::test;

namespace {

constexpr uint32_t kSeenReply = 1u << 1, kAssured = 1u << 2, kConfirmed = 1u << 3;  // IPS_…

}  // namespace

TEST_CASE("clients that reuse their ports get their new NAT at the peer as well") {
  InSyncPair pair;
  const uint16_t many = 300;  // enough that some ends are heard of before, some after the new flow's record was made
  for (uint16_t n = 0; n < many; ++n) pair.a.traffic(session(n, 0, 1));
  REQUIRE(eventually([&] { return pair.b.records() == many; }));
  for (uint16_t n = 0; n < many; ++n) {
    pair.a.conntrack_ends(session(n).key);
    pair.a.traffic(session(n, 0, 2));
  }
  pair.a.worker->begin_barrier(1);
  REQUIRE(eventually([&] { return pair.a.barrier_done(1); }));
  const auto all_new = [&](Gateway& gateway) {
    for (uint16_t n = 0; n < many; ++n) {
      if (!gateway.has(session(n, 0, 2))) return false;
    }
    return true;
  };
  CHECK(eventually([&] { return all_new(pair.b); }));
  CHECK(all_new(pair.a));
  CHECK(eventually([&] { return pair.b.conntrack_line(1).find("dst=198.51.100.2") != std::string::npos; }));
}

TEST_CASE("a port that was reused while nobody listened gets its new NAT with the cold sync") {
  InSyncPair pair;
  pair.a.traffic(session(1, 0, 1));
  REQUIRE(eventually([&] { return pair.b.has(session(1, 0, 1)); }));
  pair.a.worker->set_peer(std::nullopt);
  REQUIRE(eventually([&] { return !pair.b.in_sync(); }));
  pair.a.conntrack_ends(session(1).key);
  pair.a.traffic(session(1, 0, 2));
  pair.meet();
  CHECK(eventually([&] { return pair.b.has(session(1, 0, 2)); }));
  CHECK(eventually([&] { return pair.b.conntrack_line(1).find("dst=198.51.100.2") != std::string::npos; }));
}

TEST_CASE("a NAT port that went to another client while nobody listened goes to it at the peer as well") {
  InSyncPair pair;
  pair.a.traffic(session(1));
  REQUIRE(eventually([&] { return pair.b.has(session(1)); }));
  pair.a.worker->set_peer(std::nullopt);
  REQUIRE(eventually([&] { return !pair.b.in_sync(); }));
  pair.a.conntrack_ends(session(1).key);
  SessionEntry other = session(2);
  other.session.reply = session(1).session.reply;
  pair.a.traffic(other);
  pair.meet();
  CHECK(eventually([&] { return pair.b.has(other); }));
  CHECK_FALSE(pair.b.record(session(1).key));
}

TEST_CASE("the same on the device that was master before") {
  InSyncPair pair;
  pair.a.traffic(session(1));
  REQUIRE(eventually([&] { return pair.b.has(session(1)); }));
  pair.a.master({});
  pair.b.master(kVsd0);
  SessionEntry other = session(2);
  other.session.reply = session(1).session.reply;
  pair.a.worker->set_peer(std::nullopt);
  REQUIRE(eventually([&] { return !pair.b.in_sync(); }));
  pair.b.conntrack_ends(session(1).key);
  pair.b.traffic(other);
  pair.meet();
  CHECK(eventually([&] { return pair.a.has(other) && !pair.a.record(session(1).key); }));
}

TEST_CASE("NAT ports that pass from client to client do so at the peer as well") {
  InSyncPair pair;
  const uint16_t many = 200;
  for (uint16_t n = 0; n < many; ++n) pair.a.traffic(session(n));
  REQUIRE(eventually([&] { return pair.b.records() == many; }));
  for (uint16_t n = 0; n < many; ++n) {
    pair.a.conntrack_ends(session(n).key);
    SessionEntry other = session(static_cast<uint16_t>(n + many));
    other.session.reply = session(n).session.reply;
    pair.a.traffic(other);
  }
  CHECK(eventually([&] {
    for (uint16_t n = 0; n < many; ++n) {
      if (!pair.b.in_conntrack(session(static_cast<uint16_t>(n + many)).key)) return false;
    }
    return pair.b.records() == many;
  }));
  CHECK(eventually([&] { return pair.b.worker->view().mirror.failed == 0; }));
}

namespace {

// B has taken an answer of session(1) for a flow of VSD 1, with a translation of its own, before it heard of
// session(1).
struct MisreadAnswer : InSyncPair {
  SessionEntry misread = session(1, 1);

  explicit MisreadAnswer(uint32_t status) {
    b.master({VsdId{1}});
    a.worker->set_peer(std::nullopt);
    REQUIRE(eventually([&] { return !b.in_sync(); }));
    misread.key = session(1).session.reply;
    misread.session.reply = session(1).key;
    misread.session.reply.saddr[3] = 99;
    misread.session.ct_status = status;
    a.traffic(session(1));
    b.traffic(misread);
    meet();
  }
};

}  // namespace

TEST_CASE("an answer that overtook the mirror and was taken for a flow gives way to the flow it belongs to") {
  MisreadAnswer pair(kConfirmed);
  CHECK(eventually([&] { return pair.b.has(session(1)); }));
  CHECK(eventually([&] { return !pair.b.record(pair.misread.key) && !pair.a.record(pair.misread.key); }));
  CHECK(pair.a.has(session(1)));
  CHECK(eventually([&] { return pair.a.in_sync() && pair.b.in_sync(); }));
}

TEST_CASE("the end of a flow that was refused at the peer takes no other flow along") {
  MisreadAnswer pair(kConfirmed | kSeenReply | kAssured);  // answered: it does not give way
  pair.a.conntrack_ends(session(1).key);
  pair.a.traffic(session(2));
  REQUIRE(eventually([&] { return pair.b.has(session(2)); }));
  CHECK(eventually([&] { return !pair.b.record(session(1).key); }));
  CHECK(pair.b.has(pair.misread));
}

TEST_CASE("a session that clashes with another one for good is told of, and is no reason to be out of sync") {
  MisreadAnswer pair(kConfirmed | kSeenReply | kAssured);
  pair.a.traffic(session(2));
  CHECK(eventually([&] { return pair.b.worker->view().not_installable == 1; }));
  CHECK(pair.b.in_sync());
  CHECK(pair.b.worker->view().mirror.missing == 0);
  CHECK(pair.b.has(session(2)));
  const auto events = pair.b.events();
  CHECK(std::any_of(events.begin(), events.end(),
                    [](const auto& e) { return e.starts_with("sessions_not_installable=1"); }));
  const auto audits = [&] { return pair.b.worker->view().mirror.audit_here; };
  const rto::AuditView before = audits();
  REQUIRE(eventually([&] { return audits().rounds >= before.rounds + 2; }));
  CHECK(audits().differing == before.differing);
  pair.b.conntrack_ends(pair.misread.key);
  CHECK(eventually([&] { return pair.b.has(session(1)); }));
  CHECK(eventually([&] { return pair.b.worker->view().not_installable == 0; }));
}
