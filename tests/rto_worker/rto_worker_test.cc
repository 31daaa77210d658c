// SPDX-License-Identifier: Apache-2.0
#include "daemon/rto_worker.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "in_sync_pair.h"

using namespace nsrp;
using namespace nsrp::test;

TEST_CASE("sessions of the master appear at the peer, in BPF and in conntrack with their NAT") {
  InSyncPair pair;
  for (uint16_t n = 0; n < 500; ++n) pair.a.traffic(session(n));
  REQUIRE(eventually([&] { return pair.b.records() == 500; }));
  REQUIRE(eventually([&] { return all_there(pair.b, 0, 500); }));
  const nsrp_session record = *pair.b.record(session(7).key);
  CHECK((record.flags & NSRP_SESSION_FROM_PEER) != 0);
  CHECK(record.created_ns != 0);
  const std::string line = pair.b.conntrack_line(7);
  CHECK_MESSAGE(line.find("src=192.0.2.80 dst=198.51.100.1 sport=80 dport=20007 [ASSURED]") != std::string::npos, line);
  CHECK_MESSAGE(line.find("ESTABLISHED") != std::string::npos, line);
  const int timeout = std::stoi(line.substr(line.find_first_of("0123456789", line.find("6 ") + 2)));
  CHECK(timeout > 590);  // 300 s at the peer: the floor holds
  CHECK(eventually([&] { return pair.b.worker->view().sessions == 500; }));
  CHECK(pair.b.worker->view().mirror.received == 500);
}

TEST_CASE("the more sessions there are, the longer permits of the fast path last") {
  InSyncPair pair;
  CHECK(eventually([&] { return pair.b.permit_ns() == NSRP_FAST_PERMIT_NS; }));
  constexpr uint16_t kSessions = 9000;  // 900 ms are enough for 7372
  for (uint16_t n = 0; n < kSessions; ++n) pair.a.traffic(session(n));
  CHECK(eventually([&] { return pair.b.permit_ns() == 2'000'000'000ull * kSessions / NSRP_FAST_RENEWALS; }));
}

TEST_CASE("the end of a session ends it at the peer") {
  InSyncPair pair;
  for (uint16_t n = 0; n < 20; ++n) pair.a.traffic(session(n));
  REQUIRE(eventually([&] { return all_there(pair.b, 0, 20); }));
  for (uint16_t n = 0; n < 10; ++n) pair.a.conntrack_ends(session(n).key);
  CHECK(eventually([&] { return pair.b.records() == 10; }));
  CHECK(eventually([&] { return !pair.b.in_conntrack(session(3).key); }));
  CHECK(pair.a.records() == 10);
  CHECK(all_there(pair.b, 10, 20));
}

TEST_CASE("an entry that ages out on the backup is forgotten there and nowhere else") {
  InSyncPair pair;
  pair.a.traffic(session(1));
  REQUIRE(eventually([&] { return pair.b.has(session(1)); }));
  pair.b.conntrack_ends(session(1).key);
  CHECK(eventually([&] { return pair.b.records() == 0; }));
  pair.a.traffic(session(2));
  REQUIRE(eventually([&] { return pair.b.has(session(2)); }));  // whatever b had to say, it would have said before
  CHECK(pair.a.has(session(1)));
}

TEST_CASE("changes for which the ring had no room are found by the sweep") {
  InSyncPair pair;
  for (uint16_t n = 0; n < 5; ++n) pair.a.traffic(session(n), true);
  CHECK(eventually([&] { return all_there(pair.b, 0, 5); }));
  CHECK((pair.a.record(session(3).key)->flags & NSRP_SESSION_DIRTY) == 0);
}

TEST_CASE("a device tells of sessions of VSDs it masters only") {
  InSyncPair pair;
  pair.a.traffic(session(1, 5));
  pair.a.traffic(session(2, 0));
  REQUIRE(eventually([&] { return pair.b.has(session(2)); }));
  CHECK_FALSE(pair.b.record(session(1).key));
}

TEST_CASE("when a barrier is done the peer has every session recorded before it") {
  InSyncPair pair;
  for (uint16_t n = 0; n < 2000; ++n) pair.a.traffic(session(n), n % 100 == 0);
  pair.a.worker->begin_barrier(17);
  REQUIRE(eventually([&] { return pair.a.barrier_done(17); }));
  CHECK(pair.b.records() == 2000);
  CHECK(all_there(pair.b, 0, 2000));
}

TEST_CASE("without a peer a barrier is done at once") {
  Pair pair;
  pair.a.worker->begin_barrier(3);
  CHECK(eventually([&] { return pair.a.barrier_done(3); }));
}

TEST_CASE("what happens while the link is cut arrives after it has healed") {
  InSyncPair pair;
  for (uint16_t n = 0; n < 100; ++n) pair.a.traffic(session(n));
  REQUIRE(eventually([&] { return pair.b.records() == 100; }));
  pair.cut("ha1");
  for (uint16_t n = 100; n < 150; ++n) pair.a.traffic(session(n));
  for (uint16_t n = 0; n < 30; ++n) pair.a.conntrack_ends(session(n).key);
  CHECK(eventually([&] { return !pair.a.in_sync() && !pair.b.in_sync(); }));
  CHECK(pair.b.records() == 100);
  pair.heal();
  CHECK(eventually([&] { return pair.a.in_sync() && pair.b.in_sync(); }));
  CHECK(eventually([&] { return pair.b.records() == 120; }));
  CHECK(all_there(pair.b, 30, 150));
  CHECK(eventually([&] { return !pair.b.in_conntrack(session(5).key); }));
}

TEST_CASE("the channel moves to the other link when the daemon says so") {
  InSyncPair pair;
  pair.a.traffic(session(1));
  REQUIRE(eventually([&] { return pair.b.has(session(1)); }));
  pair.cut("ha1");
  pair.a.traffic(session(2));
  pair.meet("ha2");
  CHECK(eventually([&] { return pair.b.in_sync() && pair.b.has(session(2)); }));
  const auto events = pair.a.events();
  CHECK(std::any_of(events.begin(), events.end(),
                    [](const auto& e) { return e.starts_with("channel=up peer=00000000000b interface=ha2"); }));
  pair.heal();
}

TEST_CASE("a device that comes back empty gets everything from the one that took over") {
  InSyncPair pair;
  for (uint16_t n = 0; n < 300; ++n) pair.a.traffic(session(n));
  REQUIRE(eventually([&] { return pair.b.records() == 300; }));
  pair.a.stop_worker();
  REQUIRE(eventually([&] { return !pair.b.in_sync(); }));
  pair.b.master(kVsd0);
  pair.a.forget_everything();
  pair.a.start_worker();
  pair.meet();
  CHECK(eventually([&] { return pair.a.in_sync(); }));
  CHECK(pair.a.records() == 300);
  CHECK(all_there(pair.a, 0, 300));
  pair.b.traffic(session(900));
  CHECK(eventually([&] { return pair.a.has(session(900)); }));
}

TEST_CASE("records of an earlier run whose conntrack entry has gone are deleted") {
  Pair pair;
  pair.a.stop_worker();
  pair.a.traffic(session(1));
  pair.a.traffic(session(2));
  pair.a.conntrack_ends(session(1).key);
  pair.a.start_worker();
  CHECK(eventually([&] { return pair.a.records() == 1; }));
  CHECK(pair.a.has(session(2)));
}

TEST_CASE("a session whose conntrack entry went in silence is forgotten, at the peer as well") {
  InSyncPair pair;
  for (uint16_t n = 0; n < 5; ++n) n == 3 ? pair.a.old_traffic(session(n)) : pair.a.traffic(session(n));
  REQUIRE(eventually([&] { return all_there(pair.b, 0, 5); }));
  pair.a.conntrack_ends(session(3).key);
  CHECK(eventually([&] { return !pair.a.record(session(3).key) && !pair.b.record(session(3).key); }));
  CHECK(pair.a.records() == 4);
}

TEST_CASE("a backup short of room is not in sync, says so, and gets what it lacks when there is room") {
  const uint16_t room = 50;
  InSyncPair pair(room);
  for (uint16_t n = 0; n < room; ++n) pair.a.traffic(session(n));
  REQUIRE(eventually([&] { return all_there(pair.b, 0, room); }));
  CHECK(pair.b.in_sync());
  for (uint16_t n = room; n < room + 10; ++n) pair.a.traffic(session(n));
  CHECK(eventually([&] { return !pair.b.in_sync(); }));
  CHECK(eventually([&] { return pair.b.worker->view().mirror.missing == 10; }));
  CHECK_FALSE(pair.b.in_conntrack(session(room).key));  // half a session is none
  for (uint16_t n = 0; n < 20; ++n) pair.a.conntrack_ends(session(n).key);
  CHECK(eventually([&] { return pair.b.in_sync(); }));
  CHECK(all_there(pair.b, 20, room + 10));
  const auto told = [&](const std::string& what) {
    const auto events = pair.b.events();
    return std::count_if(events.begin(), events.end(), [&](const auto& event) { return event.find(what) == 0; });
  };
  CHECK(eventually([&] { return told("copy=complete") == 1; }));
  CHECK(told("copy=degraded missing=") == 1);
}

TEST_CASE("an audit finds what a table lost, has too much or has otherwise, and mends it in conntrack as well") {
  InSyncPair pair;
  for (uint16_t n = 0; n < 3000; ++n) pair.a.traffic(session(n));
  REQUIRE(eventually([&] { return pair.b.records() == 3000; }));
  const auto audits = [&] { return pair.b.worker->view().mirror.audit_here; };
  REQUIRE(eventually([&] { return audits().compared > 0; }));
  CHECK(audits().differing == 0);
  CHECK(audits().compared > 0);
  pair.b.loses(session(7));
  SessionEntry altered = session(8);
  altered.session.ct_mark = 99;
  pair.b.write_record(altered);
  pair.b.write_record(session(9000));
  CHECK(eventually([&] { return audits().differing >= 3 && audits().repaired == audits().differing; }));
  CHECK(eventually([&] { return pair.b.has(session(7)); }));
  CHECK(pair.b.record(session(8).key)->ct_mark == 0);
  CHECK_FALSE(pair.b.record(session(9000).key));
  CHECK(pair.b.records() == 3000);
  CHECK(pair.b.in_sync());
  CHECK(eventually([&] { return pair.a.worker->view().mirror.audit_there.repaired == audits().repaired; }));
  const auto events = pair.b.events();
  CHECK(std::any_of(events.begin(), events.end(), [](const auto& e) { return e.starts_with("audit=differing"); }));
}

TEST_CASE("an audit during traffic finds nothing") {
  InSyncPair pair;
  uint16_t next = 0;
  CHECK(eventually([&] {
    for (int i = 0; i < 20 && next < 40000; ++i, ++next) {
      pair.a.traffic(session(next), next % 50 == 0);
      if (next >= 200) pair.a.conntrack_ends(session(static_cast<uint16_t>(next - 200)).key);
    }
    return pair.b.worker->view().mirror.audit_here.rounds >= 4;
  }));
  CHECK(pair.b.worker->view().mirror.audit_here.differing == 0);
}

TEST_CASE("resync sends everything again") {
  InSyncPair pair;
  for (uint16_t n = 0; n < 10; ++n) pair.a.traffic(session(n));
  REQUIRE(eventually([&] { return pair.b.records() == 10; }));
  pair.b.forget_everything();
  REQUIRE(pair.a.worker->resync("session", false));
  CHECK(eventually([&] { return all_there(pair.b, 0, 10); }));
}

TEST_CASE("with clear-on-inactive the sessions of a VSD end where it is lost, and its new master's come back") {
  InSyncPair pair;
  pair.a.worker->set_clear_on_inactive(true);
  for (uint16_t n = 0; n < 10; ++n) pair.a.traffic(session(n));
  pair.a.traffic(session(50, 3));  // of a VSD that nobody masters
  REQUIRE(eventually([&] { return pair.b.records() == 10; }));
  const SessionEntry unknown = session(20);  // the peer will never hear of it
  pair.a.worker->set_peer(std::nullopt);
  REQUIRE(eventually([&] { return !pair.b.in_sync(); }));
  pair.a.traffic(unknown);
  pair.a.master({});
  CHECK(eventually([&] { return pair.a.records() == 1; }));
  CHECK_FALSE(pair.a.in_conntrack(unknown.key));
  CHECK(pair.a.has(session(50, 3)));
  pair.b.master(kVsd0);
  pair.meet();
  CHECK(eventually([&] { return all_there(pair.a, 0, 10); }));
  CHECK_FALSE(pair.a.record(unknown.key));
  CHECK(pair.b.records() == 10);
}

TEST_CASE("sessions with the no-backup mark stay on the device, also those that get it later") {
  InSyncPair pair;
  const auto marked = [](uint16_t number, uint32_t mark) {
    SessionEntry entry = session(number);
    entry.session.ct_mark = mark;
    return entry;
  };
  for (uint16_t n = 0; n < 10; ++n) pair.a.traffic(marked(n, n < 3 ? 0x15 : 0x25));
  REQUIRE(eventually([&] { return pair.b.records() == 10; }));
  pair.a.worker->set_no_backup(config::NoBackupMark{0x10, 0xf0});
  CHECK(eventually([&] { return pair.b.in_sync() && pair.b.records() == 7; }));
  CHECK_FALSE(pair.b.in_conntrack(session(1).key));
  pair.a.traffic(marked(20, 0x1f));
  pair.a.traffic(marked(7, 0x10));
  pair.a.traffic(marked(21, 0x20));
  REQUIRE(eventually([&] { return pair.b.has(session(21)); }));
  CHECK_FALSE(pair.b.record(session(20).key));
  CHECK(eventually([&] { return !pair.b.record(session(7).key) && !pair.b.in_conntrack(session(7).key); }));
  CHECK(pair.a.records() == 12);
  const auto rounds = [&] { return pair.b.worker->view().mirror.audit_here.rounds; };
  const uint64_t before = rounds();
  REQUIRE(eventually([&] { return rounds() >= before + 2; }));
  CHECK(pair.b.worker->view().mirror.audit_here.differing == 0);
  pair.a.worker->set_no_backup(std::nullopt);
  CHECK(eventually([&] { return pair.b.records() == 12; }));
}

TEST_CASE("turning sync off ends the mirror, turning it on begins it anew") {
  InSyncPair pair;
  pair.b.set_sync(false);
  CHECK(eventually([&] { return !pair.a.in_sync() && !pair.b.in_sync(); }));
  CHECK(eventually([&] { return pair.b.worker->view().mirror.state == rto::MirrorState::kUndefined; }));
  pair.a.traffic(session(1));
  pair.b.set_sync(true);
  CHECK(eventually([&] { return pair.b.in_sync() && pair.b.has(session(1)); }));
}

TEST_CASE("a connection from another address than the peer's is refused") {
  InSyncPair pair;
  const Inside inside(pair.a.where);
  sh("ip addr add fe80::bad/64 dev ha1 nodad");
  const kernel::UniqueFd stranger(socket(AF_INET6, SOCK_STREAM, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_scope_id = ifindex("ha1");
  REQUIRE(inet_pton(AF_INET6, "fe80::bad", &address.sin6_addr) == 1);
  REQUIRE(bind(stranger.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(inet_pton(AF_INET6, "fe80::b", &address.sin6_addr) == 1);
  address.sin6_port = htons(daemon::RtoChannel::kPort);
  REQUIRE(connect(stranger.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  char byte = 0;
  CHECK(recv(stranger.get(), &byte, 1, 0) <= 0);
  CHECK(pair.b.in_sync());  // the real one is untouched
}
