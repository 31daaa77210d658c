// SPDX-License-Identifier: Apache-2.0
// Flows that began at one router go on through another, which knows them only from Conntrack::install.
#include <doctest/doctest.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <thread>

#include "kernel/conntrack.h"
#include "traffic.h"

using namespace nsrp;
using namespace nsrp::kernel;
using namespace nsrp::test;

namespace {

const sockaddr* as_sockaddr(const sockaddr_storage& storage) {
  return reinterpret_cast<const sockaddr*>(&storage);
}

std::string receive(int fd, size_t size) {
  std::string data(size, '\0');
  const ssize_t got = ::recv(fd, data.data(), size, MSG_WAITALL);
  data.resize(got < 0 ? 0 : static_cast<size_t>(got));
  return data;
}

// More than any window, so that sequence numbers, window scaling and acknowledgements all matter.
bool carries(int from, int to) {
  const std::string data(1 << 20, 'x');
  std::thread sender([&] { (void)::send(from, data.data(), data.size(), MSG_NOSIGNAL); });
  const bool whole = receive(to, data.size()) == data;
  sender.join();
  return whole;
}

struct TcpFlow {
  UniqueFd client, server;
  explicit TcpFlow(TrafficWorld& world) {
    const UniqueFd listener = open_socket(world.server, world.family, SOCK_STREAM);
    const auto here = socket_address(world.family, world.server_address, world.server_port);
    REQUIRE(::bind(listener.get(), as_sockaddr(here), socket_address_size(world.family)) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    client = open_socket(world.client, world.family, SOCK_STREAM);
    const auto there = socket_address(world.family, world.target, world.target_port);
    REQUIRE(::connect(client.get(), as_sockaddr(there), socket_address_size(world.family)) == 0);
    server = UniqueFd(::accept(listener.get(), nullptr, nullptr));
    REQUIRE(server.valid());
    const timeval patience{15, 0};
    REQUIRE(::setsockopt(server.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    REQUIRE(passes(true));
  }
  bool passes(bool client_first) {
    return client_first ? carries(client.get(), server.get()) && carries(server.get(), client.get())
                        : carries(server.get(), client.get()) && carries(client.get(), server.get());
  }
};

struct UdpFlow {
  UniqueFd client, server;
  sockaddr_storage client_seen{};  // from the server's side
  int family;
  explicit UdpFlow(TrafficWorld& world) : family(world.family) {
    server = open_socket(world.server, family, SOCK_DGRAM);
    const auto here = socket_address(family, world.server_address, world.server_port);
    REQUIRE(::bind(server.get(), as_sockaddr(here), socket_address_size(family)) == 0);
    client = open_socket(world.client, family, SOCK_DGRAM);
    const auto there = socket_address(family, world.target, world.target_port);
    REQUIRE(::connect(client.get(), as_sockaddr(there), socket_address_size(family)) == 0);
    REQUIRE(::send(client.get(), "hello", 5, 0) == 5);
    std::array<char, 5> data;
    socklen_t size = sizeof client_seen;
    REQUIRE(::recvfrom(server.get(), data.data(), data.size(), 0, reinterpret_cast<sockaddr*>(&client_seen), &size) ==
            5);
    REQUIRE(passes(false));
  }
  // The server answers the address it saw first: a different translation would not reach the client.
  bool to_client() {
    return ::sendto(server.get(), "down", 4, 0, as_sockaddr(client_seen), socket_address_size(family)) == 4 &&
           receive(client.get(), 4) == "down";
  }
  bool to_server() {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    std::array<char, 4> data;
    return ::send(client.get(), "up..", 4, 0) == 4 &&
           ::recvfrom(server.get(), data.data(), 4, 0, reinterpret_cast<sockaddr*>(&from), &size) == 4 &&
           std::memcmp(&from, &client_seen, socket_address_size(family)) == 0;
  }
  bool passes(bool client_first) { return client_first ? to_server() && to_client() : to_client() && to_server(); }
};

struct PingFlow {
  UniqueFd client;
  sockaddr_storage target;
  int family;
  uint16_t sequence = 0;
  static constexpr uint16_t kIdentifier = 4711;

  explicit PingFlow(TrafficWorld& world) : family(world.family) {
    client = open_socket(world.client, family, SOCK_RAW, family == AF_INET ? +IPPROTO_ICMP : +IPPROTO_ICMPV6);
    target = socket_address(family, world.target, 0);
  }
  bool passes(bool) {
    icmphdr echo{};  // ICMPv6 has the same layout, and the kernel writes its checksum
    echo.type = family == AF_INET ? +ICMP_ECHO : +ICMP6_ECHO_REQUEST;
    echo.un.echo.id = htons(kIdentifier);
    echo.un.echo.sequence = htons(++sequence);
    const uint32_t sum =
        uint32_t{htons(static_cast<uint16_t>(echo.type << 8))} + echo.un.echo.id + echo.un.echo.sequence;
    if (family == AF_INET) echo.checksum = static_cast<uint16_t>(~((sum & 0xffff) + (sum >> 16)));
    if (::sendto(client.get(), &echo, sizeof echo, 0, as_sockaddr(target), socket_address_size(family)) < 0)
      return false;
    for (;;) {
      std::array<char, 256> packet;
      const ssize_t size = ::recv(client.get(), packet.data(), packet.size(), 0);
      if (size < 0) return false;
      const size_t offset = family == AF_INET ? 20 : 0;
      icmphdr answer{};
      if (static_cast<size_t>(size) < offset + sizeof answer) continue;
      std::memcpy(&answer, packet.data() + offset, sizeof answer);
      if (answer.type == (family == AF_INET ? +ICMP_ECHOREPLY : +ICMP6_ECHO_REPLY) &&
          answer.un.echo.id == echo.un.echo.id && answer.un.echo.sequence == echo.un.echo.sequence)
        return true;
    }
  }
};

std::vector<ctnetlink::Entry> entries_of(const Namespace& router, int family, uint8_t proto) {
  Inside inside(router);
  auto entries = dump_conntrack(family);
  std::erase_if(entries, [&](const ctnetlink::Entry& entry) {
    const bool echo = entry.reply.sport == htons(PingFlow::kIdentifier);
    return entry.original.proto != proto || (proto == IPPROTO_ICMPV6 && !echo);  // not neighbour discovery
  });
  return entries;
}

constexpr uint32_t kTranslated = IPS_SRC_NAT | IPS_DST_NAT;

template <class Flow>
void moves_to_the_other_router(TrafficWorld& world, Flow& flow, uint8_t proto, bool client_first) {
  CAPTURE(static_cast<int>(proto));
  const auto before = entries_of(world.a, world.family, proto);
  REQUIRE(before.size() == 1);
  {
    Inside inside(world.b);
    auto conntrack = Conntrack::open();
    REQUIRE(conntrack);
    const SessionEntry session = session_of(before[0]);
    const auto result = (*conntrack)->install({&session, 1}, 60);
    REQUIRE(result);
    REQUIRE(result->installed == 1);
  }
  world.connect(true);
  CHECK(flow.passes(client_first));
  CHECK(flow.passes(!client_first));

  const auto after = entries_of(world.b, world.family, proto);
  REQUIRE(after.size() == 1);
  CHECK(ctnetlink::same(after[0].reply, before[0].reply));
  CHECK((after[0].status & kTranslated) == (before[0].status & kTranslated));
  CHECK(after[0].tcp_state == before[0].tcp_state);
  world.connect(false);
}

void all_protocols_move(int family, Translation translation, uint32_t expected_status) {
  for (const bool client_first : {true, false}) {
    CAPTURE(client_first);
    TrafficWorld world(family, translation);
    PingFlow ping(world);
    REQUIRE(ping.passes(true));
    const uint8_t icmp = family == AF_INET ? +IPPROTO_ICMP : +IPPROTO_ICMPV6;
    // What is tested is what it says: router A did translate.
    for (const auto& entry : entries_of(world.a, family, icmp)) CHECK((entry.status & kTranslated) == expected_status);
    moves_to_the_other_router(world, ping, icmp, client_first);
    UdpFlow udp(world);
    moves_to_the_other_router(world, udp, IPPROTO_UDP, client_first);
    TcpFlow tcp(world);
    moves_to_the_other_router(world, tcp, IPPROTO_TCP, client_first);
  }
}

}  // namespace

TEST_CASE("router B stops what was not installed") {
  TrafficWorld world(AF_INET, Translation::kSource);
  UdpFlow udp(world);
  world.connect(true);
  const timeval impatience{1, 0};
  REQUIRE(::setsockopt(udp.server.get(), SOL_SOCKET, SO_RCVTIMEO, &impatience, sizeof impatience) == 0);
  CHECK_FALSE(udp.to_server());
}

TEST_CASE("untranslated flows go on through the other router") {
  all_protocols_move(AF_INET, Translation::kNone, 0);
  all_protocols_move(AF_INET6, Translation::kNone, 0);
}

TEST_CASE("flows with a translated source go on through the other router") {
  all_protocols_move(AF_INET, Translation::kSource, IPS_SRC_NAT);
  all_protocols_move(AF_INET6, Translation::kSource, IPS_SRC_NAT);
}

TEST_CASE("flows with a translated destination go on through the other router") {
  all_protocols_move(AF_INET, Translation::kDestination, IPS_DST_NAT);
  all_protocols_move(AF_INET6, Translation::kDestination, IPS_DST_NAT);
}

TEST_CASE("flows with both translated go on through the other router") {
  all_protocols_move(AF_INET, Translation::kBoth, kTranslated);
  all_protocols_move(AF_INET6, Translation::kBoth, kTranslated);
}

TEST_CASE("an echo whose identifier was translated is answered under its own") {
  for (const int family : {AF_INET, AF_INET6}) {
    for (const auto translation : {Translation::kSource, Translation::kBoth}) {
      TrafficWorld world(family, translation);
      PingFlow ping(world);
      REQUIRE(ping.passes(true));
      const uint8_t icmp = family == AF_INET ? +IPPROTO_ICMP : +IPPROTO_ICMPV6;
      const auto before = entries_of(world.a, family, icmp);
      REQUIRE(before.size() == 1);
      SessionEntry session = session_of(before[0]);
      session.session.reply.sport = htons(9999);
      {
        Inside inside(world.b);
        auto conntrack = Conntrack::open();
        REQUIRE(conntrack);
        const auto result = (*conntrack)->install({&session, 1}, 60);
        REQUIRE(result);
        REQUIRE(result->installed == 1);
        bool found = false;
        for (const auto& entry : dump_conntrack(family)) found |= ctnetlink::same(entry.reply, session.session.reply);
        CHECK(found);
      }
      world.connect(true);
      CHECK(ping.passes(true));
    }
  }
}
