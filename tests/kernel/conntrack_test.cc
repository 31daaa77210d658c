// SPDX-License-Identifier: Apache-2.0
#include "kernel/conntrack.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "traffic.h"

using namespace nsrp;
using namespace nsrp::kernel;
using namespace nsrp::test;

namespace {

nsrp_tuple tuple(const char* source, uint16_t sport, const char* destination, uint16_t dport, uint8_t proto) {
  nsrp_tuple result{};
  result.family = NSRP_IPV4;
  result.proto = proto;
  result.sport = htons(sport);
  result.dport = htons(dport);
  REQUIRE(::inet_pton(AF_INET, source, result.saddr) == 1);
  REQUIRE(::inet_pton(AF_INET, destination, result.daddr) == 1);
  return result;
}

// A flow from inside, its source translated to 198.18.0.1:nat_port.
SessionEntry flow(uint16_t port, uint16_t nat_port, uint8_t proto = IPPROTO_TCP) {
  SessionEntry entry{};
  entry.key = tuple("10.0.1.100", port, "10.0.2.100", 80, proto);
  entry.session.reply = tuple("10.0.2.100", 80, "198.18.0.1", nat_port, proto);
  entry.session.ct_status = IPS_SEEN_REPLY | IPS_ASSURED | IPS_CONFIRMED | IPS_SRC_NAT;
  entry.session.tcp_state = proto == IPPROTO_TCP ? +TCP_CONNTRACK_ESTABLISHED : +TCP_CONNTRACK_NONE;
  entry.session.timeout_s = 300;
  entry.session.ct_mark = 7;
  return entry;
}

struct World {
  Namespace ns;
  Inside inside{ns};
  std::unique_ptr<Conntrack> conntrack;

  World() { open(); }
  void open() {
    conntrack.reset();
    auto opened = Conntrack::open();
    REQUIRE_MESSAGE(opened, opened.error().message);
    conntrack = std::move(*opened);
  }
  InsertResult install(const std::vector<SessionEntry>& entries, uint32_t min_timeout_s = 0) {
    const auto result = conntrack->install(entries, min_timeout_s);
    REQUIRE_MESSAGE(result, result.error().message);
    return *result;
  }
  bool exists(const SessionEntry& entry) {
    const auto result = conntrack->exists(entry.key);
    REQUIRE(result);
    return *result;
  }
  size_t count() {
    const auto result = conntrack->count();
    REQUIRE(result);
    return *result;
  }
};

std::map<uint16_t, ctnetlink::Entry> by_port() {
  std::map<uint16_t, ctnetlink::Entry> entries;
  for (const auto& entry : dump_conntrack(AF_INET)) entries[ntohs(entry.original.sport)] = entry;
  return entries;
}

std::vector<SessionEntry> many(uint16_t count) {
  std::vector<SessionEntry> entries;
  for (uint16_t i = 0; i < count; ++i)
    entries.push_back(flow(static_cast<uint16_t>(1024 + i), static_cast<uint16_t>(1024 + i), IPPROTO_UDP));
  return entries;
}

std::vector<nsrp_tuple> keys_of(const std::vector<SessionEntry>& entries) {
  std::vector<nsrp_tuple> keys;
  for (const SessionEntry& entry : entries) keys.push_back(entry.key);
  return keys;
}

}  // namespace

TEST_CASE("an installed entry has the flow's tuples, translation, state, mark, and a timeout of at least the minimum") {
  World world;
  const SessionEntry entry = flow(1000, 2000);
  const auto result = world.install({entry}, 500);
  CHECK(result.installed == 1);
  CHECK(result.failures.empty());
  const auto found = by_port().at(1000);
  CHECK(ctnetlink::same(found.original, entry.key));
  CHECK(ctnetlink::same(found.reply, entry.session.reply));
  CHECK((found.status & (IPS_SEEN_REPLY | IPS_ASSURED)) == (IPS_SEEN_REPLY | IPS_ASSURED));
  CHECK((found.status & (IPS_SRC_NAT | IPS_DST_NAT)) == IPS_SRC_NAT);
  CHECK(found.tcp_state == TCP_CONNTRACK_ESTABLISHED);
  CHECK(found.mark == 7);
  CHECK(found.timeout_s > 490);
  CHECK(found.timeout_s <= 500);
  CHECK(world.exists(entry));
  CHECK_FALSE(world.exists(flow(1001, 2001)));
  CHECK(world.count() == 1);
}

TEST_CASE("a known entry takes the newer state, and keeps what it has been through") {
  World world;
  SessionEntry entry = flow(1000, 2000);
  REQUIRE(world.install({entry}).installed == 1);
  entry.session.tcp_state = TCP_CONNTRACK_FIN_WAIT;
  entry.session.ct_mark = 9;
  entry.session.timeout_s = 100;
  entry.session.ct_status = IPS_CONFIRMED;  // older than what is there
  const auto result = world.install({entry});
  CHECK(result.installed == 1);
  CHECK(result.failures.empty());
  const auto found = by_port().at(1000);
  CHECK(found.tcp_state == TCP_CONNTRACK_FIN_WAIT);
  CHECK(found.mark == 9);
  CHECK(found.timeout_s <= 100);
  CHECK((found.status & IPS_ASSURED) != 0);
  CHECK((found.status & IPS_SRC_NAT) != 0);
  CHECK(ctnetlink::same(found.reply, entry.session.reply));
}

TEST_CASE("what is said to be known is brought up to date, whether that is true or not") {
  World world;
  std::vector<SessionEntry> entries = {flow(1000, 2000), flow(1001, 2001), flow(1002, 2002)};
  REQUIRE(world.install({entries[0], entries[1]}).installed == 2);
  for (SessionEntry& entry : entries) {
    entry.session.tcp_state = TCP_CONNTRACK_FIN_WAIT;
    entry.session.ct_status = IPS_CONFIRMED;
  }
  // The first as it is; the second with less than it has been through by now; the third is not there at all.
  const std::vector<uint32_t> known = {IPS_SEEN_REPLY | IPS_ASSURED | IPS_CONFIRMED, IPS_CONFIRMED, IPS_CONFIRMED};
  const auto result = world.conntrack->install(entries, 0, known);
  REQUIRE(result);
  CHECK(result->installed == 3);
  CHECK(result->failures.empty());
  const auto found = by_port();
  for (const uint16_t port : std::vector<uint16_t>{1000, 1001, 1002}) {
    CHECK(found.at(port).tcp_state == TCP_CONNTRACK_FIN_WAIT);
    CHECK(((found.at(port).status & IPS_ASSURED) != 0) == (port != 1002));
  }
  CHECK(ctnetlink::same(found.at(1002).reply, entries[2].session.reply));
}

TEST_CASE("many entries are looked for at once") {
  World world;
  std::vector<SessionEntry> entries = many(100);
  REQUIRE(world.install(entries).installed == 100);
  std::vector<nsrp_tuple> keys = keys_of(entries);
  keys.insert(keys.begin() + 50, flow(9, 9).key);
  const auto exist = world.conntrack->exist(keys);
  REQUIRE(exist);
  for (size_t i = 0; i < keys.size(); ++i) CHECK((*exist)[i] == (i != 50));
}

TEST_CASE("a known entry with another translation is replaced") {
  World world;
  REQUIRE(world.install({flow(1000, 2000)}).installed == 1);
  const SessionEntry other = flow(1000, 3000);
  CHECK(world.install({other}).installed == 1);
  CHECK(ctnetlink::same(by_port().at(1000).reply, other.session.reply));
  CHECK(world.count() == 1);
}

TEST_CASE("a flow whose translated port belongs to another fails, and no other does") {
  World world;
  REQUIRE(world.install({flow(1000, 2000)}).installed == 1);
  const auto result = world.install({flow(1001, 2001), flow(1002, 2000), flow(1003, 2003)});
  CHECK(result.installed == 2);
  CHECK(result.failures.size() == 1);
  CHECK(result.failures.front().error == EEXIST);
  CHECK(result.failures.front().index == 1);
  CHECK_FALSE(world.exists(flow(1002, 2000)));
  CHECK(ctnetlink::same(by_port().at(1000).reply, flow(1000, 2000).session.reply));
}

TEST_CASE("a destination translated alone never gets another source port") {
  World world;
  // Both go to one server in the end, from one port: the second cannot be told from the first.
  SessionEntry first{}, second{};
  first.session.timeout_s = second.session.timeout_s = 60;
  first.key = tuple("10.0.1.100", 1000, "10.0.1.200", 80, IPPROTO_UDP);
  second.key = tuple("10.0.1.100", 1000, "10.0.1.201", 80, IPPROTO_UDP);
  first.session.reply = second.session.reply = tuple("10.0.2.100", 8080, "10.0.1.100", 1000, IPPROTO_UDP);
  REQUIRE(world.install({first}).installed == 1);
  CHECK(world.install({second}).failures.size() == 1);
  CHECK(world.count() == 1);
}

TEST_CASE("flows without ports are installed with their translation") {
  World world;
  for (const uint8_t protocol : {uint8_t{IPPROTO_GRE}, uint8_t{IPPROTO_ESP}}) {
    CAPTURE(protocol);
    SessionEntry entry = flow(0, 0, protocol);
    entry.key.dport = entry.session.reply.sport = 0;
    const auto result = world.install({entry});
    CHECK(result.installed == 1);
    CHECK(result.failures.empty());
    CHECK(world.exists(entry));
    entry.session.ct_mark = 5;
    CHECK(world.install({entry}).installed == 1);
    CHECK(by_port().at(0).mark == 5);
    CHECK(ctnetlink::same(by_port().at(0).reply, entry.session.reply));
    CHECK(world.conntrack->remove(keys_of({entry})));
    CHECK(world.count() == 0);
  }
}

TEST_CASE("an unanswered flow that stands for another one's answer is removed, and nothing else") {
  World world;
  const SessionEntry known = flow(1000, 2000), other = flow(1001, 2001);
  SessionEntry misread = known;
  misread.key = known.session.reply;
  misread.session.reply = ctnetlink::inverse(misread.key);
  misread.session.ct_status = IPS_CONFIRMED;
  REQUIRE(world.install({misread, other}).installed == 2);
  CHECK(world.conntrack->remove_misread_answers(std::vector{other}).value() == 0);
  CHECK(world.conntrack->remove_misread_answers(std::vector{known}).value() == 1);
  CHECK(world.count() == 1);
  REQUIRE(world.install({known}).installed == 1);
  CHECK(world.conntrack->remove_misread_answers(std::vector{known}).value() == 0);
  misread.session.ct_status = IPS_CONFIRMED | IPS_SEEN_REPLY;
  REQUIRE(world.conntrack->remove(keys_of({known})));
  REQUIRE(world.install({misread}).installed == 1);
  CHECK(world.conntrack->remove_misread_answers(std::vector{known}).value() == 0);
}

TEST_CASE("what makes no sense as one flow is refused") {
  World world;
  SessionEntry mixed = flow(1000, 2000), proto = flow(1001, 2001), family = flow(1002, 2002), state = flow(1003, 2003);
  mixed.session.reply.family = NSRP_IPV6;
  proto.session.reply.proto = IPPROTO_UDP;
  family.key.family = family.session.reply.family = 9;
  state.session.tcp_state = 200;
  const auto result = world.install({mixed, proto, family, state, flow(1004, 2004)});
  CHECK(result.failures.size() == 4);
  CHECK(result.installed == 1);
  CHECK(world.count() == 1);
}

TEST_CASE("batches of new, known, changed and clashing flows are told apart") {
  World world;
  std::vector<SessionEntry> entries = many(1000);
  REQUIRE(world.install(entries).installed == 1000);
  for (size_t i = 0; i < entries.size(); ++i)
    if (i % 10 == 0) entries[i].session.reply.dport = htons(static_cast<uint16_t>(10000 + i));  // translated anew
  for (uint16_t i = 0; i < 500; ++i)
    entries.push_back(flow(static_cast<uint16_t>(5000 + i), static_cast<uint16_t>(5000 + i), IPPROTO_UDP));
  entries.push_back(flow(6000, 1025, IPPROTO_UDP));  // clashes
  const auto result = world.install(entries);
  CHECK(result.installed == 1500);
  CHECK(result.failures.size() == 1);
  CHECK(world.count() == 1500);
  const auto found = by_port();
  CHECK(ntohs(found.at(1024).reply.dport) == 10000);
  CHECK(ntohs(found.at(1025).reply.dport) == 1025);
}

TEST_CASE("removal is by original tuple, and what is gone is no error") {
  World world;
  const auto entries = many(200);
  REQUIRE(world.install(entries).installed == 200);
  auto keys = keys_of(entries);
  keys.resize(150);
  keys.push_back(flow(9, 9).key);
  CHECK(world.conntrack->remove(keys));
  CHECK(world.count() == 50);
  CHECK(world.conntrack->remove(keys));
  CHECK_FALSE(world.exists(entries[0]));
  CHECK(world.exists(entries[199]));
}

TEST_CASE("every end is heard, also when nobody listened for a while") {
  World world;
  const auto entries = many(60000);
  REQUIRE(world.install(entries).installed == entries.size());
  REQUIRE(world.conntrack->remove(keys_of(entries)));  // far more events than the socket's buffer holds
  std::map<uint16_t, int> ended;
  REQUIRE(eventually(
      [&] {
        world.conntrack->consume_destroyed([&](const nsrp_tuple& key) { ++ended[ntohs(key.sport)]; });
        return ended.size() == entries.size();
      },
      std::chrono::seconds(60)));
}

TEST_CASE("the end of an entry that began while the daemon was away is heard") {
  World world;
  world.conntrack.reset();
  sh("conntrack -I -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 10 --dport 20 -t 60");
  world.open();
  sh("conntrack -D -p udp -s 10.0.0.1");
  std::vector<nsrp_tuple> ended;
  REQUIRE(eventually([&] {
    world.conntrack->consume_destroyed([&](const nsrp_tuple& key) { ended.push_back(key); });
    return !ended.empty();
  }));
  CHECK(ctnetlink::same(ended[0], tuple("10.0.0.1", 10, "10.0.0.2", 20, IPPROTO_UDP)));
}
