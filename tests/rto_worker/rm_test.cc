// SPDX-License-Identifier: Apache-2.0
// Class rm: a control connection of FTP with its helper, and the transfer it has announced.
#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "gateway.h"
#include "kernel/expectations.h"

using namespace nsrp;
using namespace nsrp::test;
using kernel::Expectation;
using kernel::Expectations;
using kernel::FlowHelper;

namespace {

constexpr uint32_t kHasHelper = 1u << 13;  // IPS_HELPER
const std::set<VsdId> kVsd0 = {VsdId{0}};

SessionEntry control_connection() {
  SessionEntry control = session(1);
  control.key.dport = control.session.reply.sport = htons(21);
  control.session.ct_status |= kHasHelper;
  return control;
}

// Passive: the client will connect to the server at this port, from any port.
Expectation transfer(uint16_t port) {
  Expectation expected;
  expected.master = control_connection().key;
  expected.tuple = expected.mask = expected.master;
  expected.tuple.sport = 0;
  expected.tuple.dport = htons(port);
  std::memset(expected.mask.saddr, 0xff, 4);
  std::memset(expected.mask.daddr, 0xff, 4);
  expected.mask.sport = 0;
  expected.mask.dport = 0xffff;
  expected.helper_class = 0;
  expected.function = "nat-follow-master";
  expected.translation = {0, expected.master};
  expected.translation->to.dport = htons(port);
  return expected;
}

struct HelpedPair : Pair {
  const SessionEntry control = control_connection();
  std::unique_ptr<Expectations> at_a, at_b;
  FlowHelper helper{control.key, "ftp", {rto::SequenceShift{1000, 0, 2}, rto::SequenceShift{}}};

  HelpedPair() {
    at_a = open(a);
    at_b = open(b);
    a.master(kVsd0);
    meet();
    REQUIRE(eventually([&] { return a.in_sync() && b.in_sync(); }));
    // The entry is made anew to get its helper: no record yet, or the worker could take that for the session's end.
    a.only_in_conntrack(control);
    REQUIRE(at_a->give(helper).value());
    a.traffic(control);
  }

  static std::unique_ptr<Expectations> open(Gateway& gateway) {
    const Inside inside(gateway.where);
    return std::move(*Expectations::open());
  }
  std::optional<FlowHelper> helper_at(Expectations& where) {
    return where.helpers_of(std::span(&control.key, 1)).value().front();
  }
  bool is_mirrored() {
    const auto there = helper_at(*at_b);
    return there && there->name == helper.name && there->shifts == helper.shifts;
  }
  static bool expects(Expectations& where, uint16_t port) {
    const std::vector<Expectation> all = where.all().value();
    for (const Expectation& each : all) {
      if (each.tuple.dport == htons(port)) return true;
    }
    return false;
  }
};

}  // namespace

TEST_CASE("a flow's helper and its shifted sequence numbers are at the peer, and follow what happens") {
  HelpedPair pair;
  CHECK(eventually([&] { return pair.is_mirrored(); }));
  pair.helper.shifts[0] = {2000, 2, 5};
  REQUIRE(pair.at_a->give(pair.helper).value());
  CHECK(eventually([&] { return pair.is_mirrored(); }));
  CHECK(eventually([&] { return pair.b.has(pair.control); }));
  CHECK(pair.b.conntrack_line(1).find("dst=198.51.100.1 sport=21 dport=20001 [ASSURED]") != std::string::npos);
  const auto classes = pair.b.worker->view().mirror.objects;
  const auto rm = std::ranges::find(classes, "rm", &rto::ObjectView::name);
  REQUIRE(rm != classes.end());
  CHECK(rm->received >= 1);
}

TEST_CASE("what a helper expects is expected at the peer, until it comes about or is given up") {
  HelpedPair pair;
  REQUIRE(pair.at_a->install(transfer(4000)));
  REQUIRE(eventually([&] { return pair.expects(*pair.at_b, 4000); }));
  const Expectation there = pair.at_b->all().value().front(), here = pair.at_a->all().value().front();
  CHECK(rto::to_object(VsdId{0}, there) == rto::to_object(VsdId{0}, here));
  CHECK(there.function == "nat-follow-master");
  REQUIRE(there.translation);
  // The kernel keeps an address and a port of it.
  CHECK(std::memcmp(there.translation->to.saddr, transfer(4000).translation->to.saddr, 4) == 0);
  CHECK(there.translation->to.sport == transfer(4000).translation->to.sport);
  REQUIRE(pair.at_a->install(transfer(4001)));
  REQUIRE(eventually([&] { return pair.expects(*pair.at_b, 4001); }));
  REQUIRE(pair.at_a->remove(transfer(4000)));
  CHECK(eventually([&] { return !pair.expects(*pair.at_b, 4000); }));
  CHECK(pair.expects(*pair.at_b, 4001));
}

TEST_CASE("after a takeover the new master tells of helpers and expectations") {
  HelpedPair pair;
  REQUIRE(pair.at_a->install(transfer(4000)));
  REQUIRE(eventually([&] { return pair.expects(*pair.at_b, 4000); }));
  pair.a.stop_worker();
  pair.b.master(kVsd0);
  pair.a.forget_everything();
  REQUIRE_FALSE(pair.expects(*pair.at_a, 4000));
  pair.a.start_worker();
  pair.meet();
  CHECK(eventually([&] { return pair.expects(*pair.at_a, 4000); }));
  CHECK(pair.helper_at(*pair.at_a)->shifts == pair.helper.shifts);
  REQUIRE(pair.at_b->install(transfer(4002)));
  CHECK(eventually([&] { return pair.expects(*pair.at_a, 4002); }));
}

TEST_CASE("the end of a flow with a helper takes at the peer what it expected") {
  HelpedPair pair;
  REQUIRE(pair.at_a->install(transfer(4000)));
  REQUIRE(eventually([&] { return pair.expects(*pair.at_b, 4000); }));
  pair.a.conntrack_ends(pair.control.key);
  CHECK(eventually([&] { return !pair.expects(*pair.at_b, 4000) && !pair.b.in_conntrack(pair.control.key); }));
}
