// SPDX-License-Identifier: Apache-2.0
// How sessions come to go fast, and stop: real connections through a gateway with NAT, conntrack and nftables.
#include <bpf/bpf.h>
#include <doctest/doctest.h>
#include <net/if.h>

#include <cstring>
#include <functional>

#include "gateway_lab.h"
#include "test_box.h"

using namespace nsrp;
using namespace nsrp::test;

namespace {

struct FastLab : GatewayLab {
  FastLab() {
    // Conntrack sees few of a connection's packets: as the daemon does.
    gateway.run("sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1");
    allow({.tcp = true, .udp = true, .ports = {gateway.ifindex("eth1"), gateway.ifindex("eth2")}});
  }

  void allow(const kernel::FastPath& wanted) const {
    gateway.in([&] { REQUIRE(datapath->set_fast_path(wanted).has_value()); });
  }
  std::optional<nsrp_fast_flow> flow(const nsrp_tuple& incoming) const {
    nsrp_fast_flow flow{};
    if (bpf_map_lookup_elem(datapath->fast_flows_fd(), &incoming, &flow) != 0) return std::nullopt;
    return flow;
  }
  bool has_permit(const nsrp_tuple& incoming) const {
    const auto known = flow(incoming);
    return known && known->permit_until_ns > static_cast<uint64_t>(now().time_since_epoch().count());
  }
  uint64_t forwarded() const { return count(NSRP_CNT_fast_forwarded); }
};

// A UDP conversation between client and server.
struct Talk {
  const FastLab& lab;
  Socket client, server;
  std::string to;
  nsrp_tuple request, answer;

  Talk(const FastLab& where, const std::string& from, const std::string& server_address, const std::string& answer_to)
      : lab(where),
        client(lab.client, SOCK_DGRAM, from, 4000),
        server(lab.server, SOCK_DGRAM, server_address, 53),
        to(server_address),
        request(tuple(IPPROTO_UDP, from, 4000, server_address, 53)),
        answer(tuple(IPPROTO_UDP, server_address, 53, answer_to, 4000)) {}

  void once() const {
    client.send_to(to, 53);
    server.reply_to_sender();
    REQUIRE(client.receive().has_value());
  }
  // Until packets of both directions have gone fast.
  bool becomes_fast() const {
    return eventually([&] {
      once();
      const auto out = lab.flow(request), back = lab.flow(answer);
      return out && back && out->packets > 0 && back->packets > 0;
    });
  }
};

Talk over_ipv4(const FastLab& lab) {
  return {lab, kClient, kServer, kUntrustVsi};
}

struct Connection {
  Socket listener, client, served;
  Connection(const GatewayLab& lab, const std::string& from, const std::string& to)
      : listener(lab.server, SOCK_STREAM, to, 80), client(lab.client, SOCK_STREAM, from, 0), served(-1) {
    listener.listen();
    REQUIRE(client.connect(to, 80));
    served = listener.accept();
  }
  void talk() const {
    client.send("ping");
    REQUIRE(served.receive().has_value());
    served.send("pong");
    REQUIRE(client.receive().has_value());
  }
};

}  // namespace

TEST_CASE("a UDP conversation through source NAT goes fast both ways once conntrack calls it settled") {
  const FastLab lab;
  const Talk talk = over_ipv4(lab);
  talk.once();
  CHECK(lab.forwarded() == 0);
  REQUIRE(talk.becomes_fast());
  const nsrp_fast_flow flow = lab.flow(talk.request).value();
  CHECK(flow.in_ifindex == lab.gateway.ifindex("eth1").value);
  CHECK(flow.out_ifindex == lab.gateway.ifindex("eth2").value);
  CHECK(flow.mtu == 1500);
  CHECK(flow.vsd == 0);
  CHECK(lab.count(NSRP_CNT_xdp_redirect_error) == 0);
}

TEST_CASE("TCP goes fast, IPv4 with NAT and IPv6 without; the connection and its end are as ever") {
  const FastLab lab;
  for (const auto& [from, to] : {std::pair(kClient, kServer), std::pair(kClient6, kServer6)}) {
    CAPTURE(from);
    const uint64_t before = lab.forwarded();
    Connection connection(lab, from, to);
    const nsrp_tuple key = tuple(IPPROTO_TCP, from, connection.client.local_port(), to, 80);
    CHECK(eventually([&] {
      connection.talk();
      return lab.forwarded() > before + 20;
    }));
    REQUIRE(lab.flow(key).has_value());
    connection.client.close();
    connection.served.close();
    CHECK(eventually([&] { return lab.session(key)->tcp_state > 3; }));
    CHECK_FALSE(lab.has_permit(key));
    CHECK_FALSE(lab.has_permit(lab.session(key)->reply));
    CHECK(lab.count(NSRP_CNT_fast_revoked) > 0);
  }
}

TEST_CASE("UDP over IPv6, and a connection from outside through destination NAT, go fast too") {
  const FastLab lab;
  CHECK(Talk{lab, kClient6, kServer6, kClient6}.becomes_fast());
  lab.nat("prerouting ip daddr 20.0.0.1 udp dport 8053 dnat to 10.1.1.99:53");
  const Socket outside(lab.server, SOCK_DGRAM, kServer, 0), inside(lab.client, SOCK_DGRAM, kClient, 53);
  const nsrp_tuple request = tuple(IPPROTO_UDP, kServer, outside.local_port(), kUntrustVsi, 8053);
  CHECK(eventually([&] {
    outside.send_to(kUntrustVsi, 8053);
    inside.reply_to_sender();
    REQUIRE(outside.receive() == 8053);
    const auto flow = lab.flow(request);
    return flow && flow->packets > 0;
  }));
}

TEST_CASE("each second a packet takes the stack: conntrack's timeout is as fresh as that") {
  const FastLab lab;
  const Talk talk = over_ipv4(lab);
  REQUIRE(talk.becomes_fast());
  const uint64_t granted = lab.count(NSRP_CNT_fast_granted);
  CHECK(eventually([&] {
    talk.once();
    return lab.count(NSRP_CNT_fast_granted) >= granted + 6;
  }));
  const std::string entry = lab.gateway.in([] { return output_of("conntrack -L -p udp 2>/dev/null"); });
  CHECK_MESSAGE(entry.find("dport=53") != std::string::npos, entry);
  CHECK(lab.forwarded() > 10);
}

TEST_CASE("a rule that forbids the session ends it, though nobody tells the data path") {
  const FastLab lab;
  const Talk talk = over_ipv4(lab);
  REQUIRE(talk.becomes_fast());
  lab.gateway.run("nft 'table ip stop { chain forward { type filter hook forward priority 0; udp dport 53 drop; }; }'");
  CHECK(eventually([&] {
    talk.client.send_to(kServer, 53);
    return !lab.has_permit(talk.request);
  }));
  const uint64_t dropped_from = lab.flow(talk.request)->packets;
  for (int i = 0; i < 20; ++i) talk.client.send_to(kServer, 53);
  CHECK(lab.flow(talk.request)->packets == dropped_from);
  lab.gateway.run("nft delete table ip stop");
}

TEST_CASE("a session whose conntrack entry is gone goes fast no more") {
  const FastLab lab;
  const Talk talk = over_ipv4(lab);
  REQUIRE(talk.becomes_fast());
  lab.nat("postrouting oifname eth2 snat to 20.0.0.2");  // what comes next is translated otherwise
  lab.gateway.run("conntrack -D -p udp >/dev/null 2>&1");
  const nsrp_tuple other = tuple(IPPROTO_UDP, kServer, 53, "20.0.0.2", 4000);
  CHECK(eventually([&] {
    talk.client.send_to(kServer, 53);
    return lab.indexed(other).has_value();
  }));
  CHECK_FALSE(lab.has_permit(talk.answer));
}

TEST_CASE("a session that a helper listens to stays with the stack") {
  const FastLab lab;
  lab.gateway.run(
      "nft -f - <<'RULES'\ntable ip help {\nct helper tftp { type \"tftp\" protocol udp; }\n"
      "chain prerouting { type filter hook prerouting priority 0; udp dport 53 ct helper set \"tftp\"; }\n}\nRULES");
  const Talk talk = over_ipv4(lab);
  CHECK(eventually([&] {
    talk.once();
    const auto record = lab.session(talk.request);
    return record && (record->flags & NSRP_SESSION_SETTLED);
  }));
  for (int i = 0; i < 10; ++i) talk.once();
  CHECK_FALSE(lab.flow(talk.request).has_value());
  CHECK(lab.forwarded() == 0);
}

TEST_CASE("a route with a smaller MTU keeps long packets from the fast path") {
  const FastLab lab;
  lab.gateway.run("ip route add 20.0.0.9/32 dev eth2 mtu lock 1300");
  const Talk talk = over_ipv4(lab);
  REQUIRE(talk.becomes_fast());
  CHECK(lab.flow(talk.request)->mtu == 1300);
  CHECK(lab.flow(talk.answer)->mtu == 1500);
}

TEST_CASE("another way out is taken by the first packet after the change is known") {
  const FastLab lab;
  const Talk talk = over_ipv4(lab);
  REQUIRE(talk.becomes_fast());
  const std::string mac =
      lab.server.in([] { return output_of("ip -br link show s0 | awk '{print $3}'"); }).substr(0, 17);
  lab.gateway.run("ip neigh replace 20.0.0.9 lladdr 00:0d:00:00:00:77 dev eth2 nud permanent");
  REQUIRE(lab.datapath->void_permits().has_value());
  talk.client.send_to(kServer, 53);
  CHECK(eventually([&] { return lab.flow(talk.request)->dmac[5] == 0x77; }));
  lab.gateway.run("ip neigh replace 20.0.0.9 lladdr " + mac + " dev eth2 nud permanent");
  REQUIRE(lab.datapath->void_permits().has_value());
  CHECK(talk.becomes_fast());
}

TEST_CASE(
    "permits last the longer the more sessions there are to renew, but not longer than conntrack remembers them") {
  const FastLab lab;
  const Talk talk = over_ipv4(lab);
  REQUIRE(talk.becomes_fast());
  // The time of the permit that the next packet gets.
  const auto granted = [&] {
    REQUIRE(lab.datapath->void_permits().has_value());
    const uint64_t asked = to_ns(now());
    const uint64_t had = lab.flow(talk.request)->permit_until_ns;
    REQUIRE(eventually([&] {
      talk.once();
      return lab.flow(talk.request)->permit_until_ns != had;
    }));
    return std::pair{lab.flow(talk.request)->permit_until_ns - asked, to_ns(now()) - asked};
  };
  const auto check_between = [&](uint64_t least, uint64_t most) {
    const auto [permit, spent] = granted();
    CHECK(permit >= least);
    CHECK(permit <= most + spent);
  };
  check_between(NSRP_FAST_PERMIT_NS, NSRP_FAST_PERMIT_NS);
  REQUIRE(lab.datapath->pace_permits(5 * NSRP_FAST_RENEWALS).has_value());
  check_between(5'000'000'000, 10'000'000'000);
  REQUIRE(lab.datapath->pace_permits(1'000'000'000).has_value());
  check_between(NSRP_FAST_PERMIT_MAX_NS / 2, NSRP_FAST_PERMIT_MAX_NS);
  lab.gateway.run(
      "sysctl -qw net.netfilter.nf_conntrack_udp_timeout=6 net.netfilter.nf_conntrack_udp_timeout_stream=6");
  check_between(2'000'000'000, 3'000'000'000);
  REQUIRE(lab.datapath->pace_permits(0).has_value());
  check_between(NSRP_FAST_PERMIT_NS, NSRP_FAST_PERMIT_NS);
}

TEST_CASE("a full map leaves sessions to the stack, and they work") {
  const FastLab lab;
  nsrp_tuple filler = tuple(IPPROTO_UDP, "192.0.2.1", 1, "192.0.2.2", 1);
  const nsrp_fast_flow nothing{};
  uint32_t number = 0;
  do {
    std::memcpy(&filler.saddr[4], &++number, sizeof number);
  } while (bpf_map_update_elem(lab.datapath->fast_flows_fd(), &filler, &nothing, BPF_ANY) == 0 && number < 1'000'000);
  REQUIRE(number < 1'000'000);
  const Talk talk = over_ipv4(lab);
  CHECK(eventually([&] {
    talk.once();
    return lab.count(NSRP_CNT_fast_map_full) > 0;
  }));
  for (int i = 0; i < 10; ++i) talk.once();
  CHECK(lab.forwarded() == 0);
}

TEST_CASE("nothing goes fast unless it is allowed") {
  const GatewayLab lab;
  const Socket client(lab.client, SOCK_DGRAM, kClient, 4000), server(lab.server, SOCK_DGRAM, kServer, 53);
  CHECK(eventually([&] {
    client.send_to(kServer, 53);
    server.reply_to_sender();
    (void)client.receive();
    return (lab.session(tuple(IPPROTO_UDP, kClient, 4000, kServer, 53))->flags & NSRP_SESSION_SETTLED) != 0;
  }));
  CHECK(lab.count(NSRP_CNT_fast_granted) == 0);
  CHECK(lab.count(NSRP_CNT_fast_forwarded) == 0);
}
