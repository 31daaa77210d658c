// SPDX-License-Identifier: Apache-2.0
// Sessions recorded from real traffic with NAT.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "gateway_lab.h"
#include "kernel/unique_fd.h"

using namespace nsrp;
using namespace nsrp::test;

namespace {

constexpr uint32_t kSeenReply = 1 << 1, kAssured = 1 << 2;  // the kernel's IPS_* bits
constexpr uint8_t kEstablished = 3, kTimeWait = 7;          // TCP_CONNTRACK_ESTABLISHED, …_TIME_WAIT

struct TcpFlow {
  Socket listener, client, served;

  TcpFlow(const GatewayLab& lab, const std::string& from, const std::string& to)
      : listener(lab.server, SOCK_STREAM, to, 80), client(lab.client, SOCK_STREAM, from, 0), served(-1) {
    listener.listen();
    REQUIRE(client.connect(to, 80));
    served = listener.accept();
  }
  void talk() {
    client.send("ping");
    CHECK(served.receive().has_value());
    served.send("pong");
    CHECK(client.receive().has_value());
  }
  nsrp_tuple key() const { return tuple(IPPROTO_TCP, kClient, client.local_port(), kServer, 80); }
  // Until of its packets nothing is written down any more.
  void settle(const GatewayLab& lab) {
    REQUIRE(eventually([&] {
      talk();
      const auto record = lab.session(key());
      return record && (record->flags & NSRP_SESSION_SETTLED);
    }));
  }
};

}  // namespace

TEST_CASE("a TCP connection through source NAT is recorded with both tuples, and settles") {
  const GatewayLab lab;
  REQUIRE(lab.datapath->sessions_supported());
  TcpFlow flow(lab, kClient, kServer);
  const nsrp_tuple key = flow.key();
  flow.settle(lab);
  const nsrp_session record = lab.session(key).value();
  CHECK(same(record.reply, tuple(IPPROTO_TCP, kServer, 80, kUntrustVsi, flow.client.local_port())));
  CHECK((record.ct_status & (kSeenReply | kAssured)) == (kSeenReply | kAssured));
  CHECK(record.tcp_state == kEstablished);
  CHECK(record.vsd == 0);
  CHECK(record.timeout_s > 1000);  // conntrack gives an established connection days
  CHECK(record.timeout_s <= 432000);
  CHECK(record.flags == NSRP_SESSION_SETTLED);
  const auto indexed = lab.indexed(record.reply);
  REQUIRE(indexed.has_value());
  CHECK(same(*indexed, key));
  CHECK(lab.session_count() == 1);
  CHECK(lab.count(NSRP_CNT_session_created) == 1);

  const auto events = lab.events();
  REQUIRE(events.size() >= 2);
  for (size_t i = 0; i < events.size(); ++i) {
    CHECK(same(events[i].key, key));
    CHECK(events[i].session.generation == i + 1);
  }
  CHECK(events.front().session.ct_status < events.back().session.ct_status);
  CHECK(events.back().session.tcp_state == kEstablished);
  CHECK((events.back().session.ct_status & kAssured) != 0);

  flow.talk();
  CHECK(lab.events().empty());  // nothing the peer needs has changed
}

TEST_CASE("the end of a TCP connection is told, to its last packet, which is a bare ACK") {
  const GatewayLab lab;
  TcpFlow flow(lab, kClient, kServer);
  const nsrp_tuple key = flow.key();
  flow.settle(lab);
  lab.events();
  flow.talk();  // settled: of such packets nothing is written down for a moment
  flow.client.close();
  flow.served.close();
  CHECK(eventually([&] { return lab.session(key).value().tcp_state == kTimeWait; }));
  CHECK((lab.session(key).value().flags & NSRP_SESSION_SETTLED) == 0);
  const auto events = lab.events();
  REQUIRE_FALSE(events.empty());
  CHECK(events.back().session.tcp_state == kTimeWait);
}

TEST_CASE("TCP over IPv6 is recorded without NAT") {
  const GatewayLab lab;
  TcpFlow flow(lab, kClient6, kServer6);
  flow.talk();
  const nsrp_tuple key = tuple(IPPROTO_TCP, kClient6, flow.client.local_port(), kServer6, 80);
  const auto record = lab.session(key);
  REQUIRE(record.has_value());
  CHECK(same(record->reply, tuple(IPPROTO_TCP, kServer6, 80, kClient6, flow.client.local_port())));
  CHECK(lab.count(NSRP_CNT_nd_answered) >= 2);
}

TEST_CASE("a UDP flow is recorded, and its first answer is told") {
  const GatewayLab lab;
  const Socket client(lab.client, SOCK_DGRAM, kClient, 4000), server(lab.server, SOCK_DGRAM, kServer, 53);
  const nsrp_tuple key = tuple(IPPROTO_UDP, kClient, 4000, kServer, 53);
  client.send_to(kServer, 53);
  server.reply_to_sender();
  REQUIRE(client.receive().has_value());
  const auto record = lab.session(key);
  REQUIRE(record.has_value());
  CHECK(same(record->reply, tuple(IPPROTO_UDP, kServer, 53, kUntrustVsi, 4000)));
  CHECK((record->ct_status & kSeenReply) != 0);
  CHECK(record->timeout_s > 0);
  const auto events = lab.events();
  REQUIRE(events.size() == 2);
  CHECK((events[0].session.ct_status & kSeenReply) == 0);
  CHECK((events[1].session.ct_status & kSeenReply) != 0);

  // Conntrack calls it a stream after two seconds of talk.
  CHECK(eventually([&] {
    client.send_to(kServer, 53);
    server.reply_to_sender();
    (void)client.receive();
    return (lab.session(key)->ct_status & kAssured) && (lab.session(key)->flags & NSRP_SESSION_SETTLED);
  }));
}

TEST_CASE("a flow that conntrack has forgotten and takes for a new one is looked at anew, with its first packet") {
  const GatewayLab lab;
  const Socket client(lab.client, SOCK_DGRAM, kClient, 4000), server(lab.server, SOCK_DGRAM, kServer, 53);
  const nsrp_tuple key = tuple(IPPROTO_UDP, kClient, 4000, kServer, 53);
  const auto talk = [&] {
    client.send_to(kServer, 53);
    server.reply_to_sender();
    REQUIRE(client.receive().has_value());
  };
  const auto settle_and_forget = [&] {
    REQUIRE(eventually([&] {
      talk();
      return (lab.session(key)->flags & NSRP_SESSION_SETTLED) != 0;
    }));
    talk();
    lab.gateway.run("conntrack -D -p udp >/dev/null 2>&1");
  };
  settle_and_forget();
  talk();
  CHECK((lab.session(key)->flags & NSRP_SESSION_SETTLED) == 0);
  CHECK((lab.session(key)->ct_status & kAssured) == 0);

  lab.nat("postrouting ip protocol udp oifname eth2 snat to 20.0.0.1:7000");
  settle_and_forget();
  talk();
  const nsrp_tuple reply = lab.session(key)->reply;
  CHECK(same(reply, tuple(IPPROTO_UDP, kServer, 53, kUntrustVsi, 7000)));
  CHECK(lab.indexed(reply).has_value());
}

TEST_CASE("an ICMP echo is recorded by its identifier") {
  const GatewayLab lab;
  lab.client.run(std::string("ping -c 2 -i 0.2 -W 10 -e 4242 ") + kServer + " >/dev/null");
  const auto record = lab.session(tuple(IPPROTO_ICMP, kClient, 4242, kServer, 0));
  REQUIRE(record.has_value());
  CHECK(same(record->reply, tuple(IPPROTO_ICMP, kServer, 4242, kUntrustVsi, 0)));
  CHECK((record->ct_status & kSeenReply) != 0);
  lab.client.run(std::string("ping -6 -c 1 -W 10 -e 4243 ") + kServer6 + " >/dev/null");
  CHECK(lab.session(tuple(IPPROTO_ICMPV6, kClient6, 4243, kServer6, 0)).has_value());
}

TEST_CASE("GRE and ESP that pass through are recorded by their addresses") {
  for (const uint8_t protocol : {uint8_t{IPPROTO_GRE}, uint8_t{IPPROTO_ESP}}) {
    CAPTURE(protocol);
    GatewayLab lab;
    const auto send = [&](const Namespace& from, const char* to) {
      from.in([&] {
        const kernel::UniqueFd raw(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, protocol));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        REQUIRE(inet_pton(AF_INET, to, &address.sin_addr) == 1);
        const char payload[16] = {};
        REQUIRE(sendto(raw.get(), payload, sizeof payload, 0, reinterpret_cast<sockaddr*>(&address), sizeof address) ==
                sizeof payload);
      });
    };
    send(lab.client, kServer);
    const nsrp_tuple key = tuple(protocol, kClient, 0, kServer, 0);
    REQUIRE(eventually([&] { return lab.session(key).has_value(); }));
    CHECK(same(lab.session(key)->reply, tuple(protocol, kServer, 0, kUntrustVsi, 0)));
    send(lab.server, kUntrustVsi);
    CHECK(eventually([&] { return (lab.session(key)->ct_status & 1u << 1) != 0; }));  // the answer has been seen
    CHECK(lab.session_count() == 1);
  }
}

TEST_CASE("a connection from outside through destination NAT is recorded by its tuple on the wire") {
  const GatewayLab lab;
  lab.nat("prerouting ip daddr 20.0.0.1 tcp dport 8080 dnat to 10.1.1.99:80");
  const Socket listener(lab.client, SOCK_STREAM, kClient, 80), outside(lab.server, SOCK_STREAM, kServer, 0);
  listener.listen();
  REQUIRE(outside.connect(kUntrustVsi, 8080));
  const auto record = lab.session(tuple(IPPROTO_TCP, kServer, outside.local_port(), kUntrustVsi, 8080));
  REQUIRE(record.has_value());
  CHECK(same(record->reply, tuple(IPPROTO_TCP, kClient, 80, kServer, outside.local_port())));
}

TEST_CASE("what ends at the gateway itself is no session") {
  const GatewayLab lab;
  lab.client.run("ping -c 1 -W 10 10.1.1.1 >/dev/null && ping -c 1 -W 10 10.1.1.21 >/dev/null");
  CHECK(lab.session_count() == 0);
}

TEST_CASE("the hosts see the virtual MAC for VSI addresses and the device's own for the manage IP") {
  const GatewayLab lab;
  lab.client.run(
      "ping -c 1 -W 10 10.1.1.1 >/dev/null && ping -c 1 -W 10 10.1.1.21 >/dev/null && "
      "ping -6 -c 1 -W 10 2001:db8:1::1 >/dev/null");
  const std::string neighbours = lab.client.in([] { return output_of("ip neigh show dev c0"); });
  CHECK(neighbours.find(std::string("10.1.1.1 lladdr ") + kTrustVmac) != std::string::npos);
  CHECK(neighbours.find(std::string("2001:db8:1::1 lladdr ") + kTrustVmac) != std::string::npos);
  CHECK(neighbours.find(std::string("10.1.1.21 lladdr ") + kTrustVmac) == std::string::npos);
  CHECK(neighbours.find("10.1.1.21 lladdr ") != std::string::npos);
}

TEST_CASE("a session of the peer becomes ours with the first packet, without a word to the peer") {
  const GatewayLab lab;
  TcpFlow flow(lab, kClient, kServer);
  const nsrp_tuple key = flow.key();
  flow.settle(lab);
  nsrp_session record = lab.session(key).value();
  record.flags |= NSRP_SESSION_FROM_PEER;
  record.exported_ns = 0;
  lab.events();
  lab.store_session(key, record);
  CHECK(eventually([&] {  // a flow just seen is not looked up again at once
    flow.talk();
    return lab.session(key)->flags == NSRP_SESSION_SETTLED;
  }));
  CHECK(lab.events().empty());
}

TEST_CASE("a busy session is told again every half minute") {
  const GatewayLab lab;
  TcpFlow flow(lab, kClient, kServer);
  const nsrp_tuple key = flow.key();
  flow.settle(lab);
  nsrp_session record = lab.session(key).value();
  record.exported_ns -= 31'000'000'000ull;
  lab.events();
  lab.store_session(key, record);
  std::vector<nsrp_session_event> events;
  CHECK(eventually([&] {
    flow.talk();
    std::ranges::copy(lab.events(), std::back_inserter(events));
    return !events.empty();
  }));
  REQUIRE(events.size() == 1);
  CHECK(events[0].session.generation == record.generation + 1);
  CHECK(events[0].session.exported_ns > record.exported_ns + 31'000'000'000ull);
}

TEST_CASE("a settled session that goes on stays known as seen of late, in both directions' packets") {
  const GatewayLab lab;
  TcpFlow flow(lab, kClient, kServer);
  const nsrp_tuple key = flow.key();
  flow.settle(lab);
  for (int i = 0; i < 3; ++i) {
    const uint64_t seen = lab.session(key)->last_seen_ns;
    CHECK(eventually([&] {
      flow.talk();
      return lab.session(key)->last_seen_ns > seen + 100'000'000;
    }));
  }
}

TEST_CASE("a new flow with the addresses of an ended one replaces its record and index") {
  const GatewayLab lab;
  const Socket client(lab.client, SOCK_DGRAM, kClient, 4000), server(lab.server, SOCK_DGRAM, kServer, 53);
  const nsrp_tuple key = tuple(IPPROTO_UDP, kClient, 4000, kServer, 53);
  client.send_to(kServer, 53);
  REQUIRE(server.receive().has_value());
  const nsrp_session first = lab.session(key).value();
  lab.nat("postrouting oifname eth2 snat to 20.0.0.2");
  lab.gateway.run("conntrack -F >/dev/null 2>&1");
  client.send_to(kServer, 53);
  REQUIRE(server.receive().has_value());
  const nsrp_session second = lab.session(key).value();
  CHECK(same(second.reply, tuple(IPPROTO_UDP, kServer, 53, "20.0.0.2", 4000)));
  CHECK(second.generation > first.generation);
  CHECK_FALSE(lab.indexed(first.reply).has_value());
  CHECK(lab.indexed(second.reply).has_value());
  CHECK(lab.session_count() == 1);
}

TEST_CASE("a packet whose conntrack entry is missing does not make the gateway end the session") {
  const GatewayLab lab;
  TcpFlow flow(lab, kClient, kServer);
  flow.talk();
  const Socket client(lab.client, SOCK_DGRAM, kClient, 4000), server(lab.server, SOCK_DGRAM, kServer, 53);
  client.send_to(kServer, 53);
  REQUIRE(server.receive().has_value());
  lab.gateway.run("sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0; conntrack -F >/dev/null 2>&1");
  server.send_to(kUntrustVsi, 4000);
  CHECK(eventually([&] { return lab.count(NSRP_CNT_tx_drop_refusal) == 1; }));
  flow.served.send("late");
  CHECK(eventually([&] { return lab.count(NSRP_CNT_tx_drop_refusal) >= 2; }));
  lab.server.run("ss -Htn state established | grep -q :80");
}

TEST_CASE("what never was a session is refused as ever") {
  const GatewayLab lab;
  const Socket server(lab.server, SOCK_STREAM, kServer, 0);
  CHECK_FALSE(server.connect(kUntrustVsi, 4000));
  CHECK(lab.count(NSRP_CNT_tx_drop_refusal) == 0);
}

TEST_CASE("a full table is counted, and traffic goes on") {
  const GatewayLab lab(16);
  const Socket client(lab.client, SOCK_DGRAM, kClient, 4000), server(lab.server, SOCK_DGRAM, kServer, 999);
  for (uint16_t port = 1000; port < 1100; ++port) client.send_to(kServer, port);
  client.send_to(kServer, 999);
  CHECK(server.receive().has_value());
  CHECK(eventually([&] { return lab.count(NSRP_CNT_session_map_full) > 0; }));
  CHECK(lab.session_count() <= 16);
}

TEST_CASE("when the ring is full, records stay dirty and nothing is lost") {
  const GatewayLab lab(65536);
  const Socket client(lab.client, SOCK_DGRAM, kClient, 4000), server(lab.server, SOCK_DGRAM, kServer, 60000);
  for (uint16_t port = 1; port <= 40000; ++port) {
    client.send_to(kServer, port);
    // Our records stay; conntrack's own table would overflow on a small machine.
    if (port % 4000 == 0) lab.gateway.run("conntrack -F >/dev/null 2>&1");
  }
  client.send_to(kServer, 60000);
  REQUIRE(server.receive().has_value());
  const size_t sessions = lab.session_count(), events = lab.events().size();
  CHECK(lab.count(NSRP_CNT_session_ring_full) > 0);
  size_t dirty = 0;
  nsrp_tuple key = tuple(IPPROTO_UDP, kClient, 4000, kServer, 0);
  for (uint32_t port = 1; port <= 60000; ++port) {
    key.dport = htons(static_cast<uint16_t>(port));
    const auto record = lab.session(key);
    if (record && (record->flags & NSRP_SESSION_DIRTY)) ++dirty;
  }
  CHECK(dirty > 0);
  CHECK(events + dirty == sessions);
}
