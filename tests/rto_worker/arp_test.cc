// SPDX-License-Identifier: Apache-2.0
// Class arp on two gateways and a host on one network.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>

#include "gateway.h"

using namespace nsrp;
using namespace nsrp::test;

namespace {

const std::set<VsdId> kVsd0 = {VsdId{0}};
constexpr uint16_t kPort = 4000;
const std::string kHost4 = "10.9.0.100", kHost6 = "2001:db8:9::100";

kernel::UniqueFd udp_socket(const std::string& address) {
  const bool v6 = address.find(':') != std::string::npos;
  return kernel::UniqueFd(socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

std::pair<sockaddr_storage, socklen_t> socket_address(const std::string& address) {
  sockaddr_storage storage{};
  if (address.find(':') == std::string::npos) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(kPort);
    REQUIRE(inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1);
    return {storage, sizeof v4};
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(kPort);
  REQUIRE(inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1);
  return {storage, sizeof v6};
}

struct Lan : Pair {
  Namespace host;

  Lan() {
    const Inside inside(host);
    sh("ip link add br0 type bridge && ip link set br0 up");
    sh("ip addr add " + kHost4 + "/24 dev br0 && ip addr add " + kHost6 + "/64 dev br0 nodad");
    plug(a, "port-a", 1);
    plug(b, "port-b", 2);
    a.master(kVsd0);
    meet();
    REQUIRE(eventually([&] { return a.in_sync() && b.in_sync(); }));
  }

  void send(Gateway& gateway, const std::string& to) {
    const Inside inside(gateway.where);
    const kernel::UniqueFd socket = udp_socket(to);
    const auto [address, size] = socket_address(to);
    REQUIRE(sendto(socket.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&address), size) == 1);
  }

  // No question about an address leaves the gateway, and no answer gets in.
  static void silence(Gateway& gateway) {
    const Inside inside(gateway.where);
    sh("nft 'add table arp mute; add chain arp mute out { type filter hook output priority 0; policy drop; }; "
       "add table ip6 mute; add chain ip6 mute out { type filter hook output priority 0; }; "
       "add rule ip6 mute out icmpv6 type nd-neighbor-solicit drop'");
  }

  static std::string neighbour(Gateway& gateway, const std::string& address) {
    const Inside inside(gateway.where);
    return sh("ip neigh show to " + address + " dev eth1");
  }
  static bool is_from_peer(Gateway& gateway, const std::string& address) {
    const std::string line = neighbour(gateway, address);
    return line.find("extern_learn") != std::string::npos && line.find("STALE") != std::string::npos;
  }
  static bool knows(Gateway& gateway, const std::string& address) {
    return neighbour(gateway, address).find("lladdr") != std::string::npos;
  }

 private:
  void plug(Gateway& gateway, const std::string& port, int number) {
    sh("ip link add " + port + " type veth peer eth1 netns " + gateway.where.path() + " && ip link set " + port +
       " master br0 up");
    const Inside inside(gateway.where);
    const std::string n = std::to_string(number);
    sh("ip link set eth1 up && ip addr add 10.9.0." + n + "/24 dev eth1 && ip addr add 2001:db8:9::" + n +
       "/64 dev eth1 nodad");
    gateway.worker->set_vsis({{Vid{7},
                               VsdId{0},
                               IfIndex{ifindex("eth1")},
                               {*Prefix::parse("10.9.0.254/24"), *Prefix::parse("2001:db8:9::fe/64")}}});
  }
};

}  // namespace

TEST_CASE("after a takeover the first packet to a neighbour leaves without a question") {
  Lan lan;
  kernel::UniqueFd receivers[2];
  for (size_t i = 0; i < 2; ++i) {
    const Inside inside(lan.host);
    const std::string& host = i == 0 ? kHost4 : kHost6;
    receivers[i] = udp_socket(host);
    const auto [address, size] = socket_address(host);
    REQUIRE(bind(receivers[i].get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
    lan.send(lan.a, host);
    CHECK(eventually([&] { return lan.is_from_peer(lan.b, host); }));
  }
  char byte;
  for (const kernel::UniqueFd& receiver : receivers) {
    CHECK(eventually([&] { return recv(receiver.get(), &byte, 1, 0) == 1; }));  // what the first gateway sent
  }
  lan.a.stop_worker();
  lan.silence(lan.b);
  lan.b.master(kVsd0);
  for (size_t i = 0; i < 2; ++i) {
    lan.send(lan.b, i == 0 ? kHost4 : kHost6);
    CHECK(eventually([&] { return recv(receivers[i].get(), &byte, 1, 0) == 1; }));
  }
}

TEST_CASE("a neighbour that has gone at the master goes at the peer") {
  Lan lan;
  for (const std::string& host : {kHost4, kHost6}) {
    lan.send(lan.a, host);
    REQUIRE(eventually([&] { return lan.knows(lan.b, host); }));
    {
      const Inside inside(lan.a.where);
      sh("ip neigh del " + host + " dev eth1");
    }
    CHECK(eventually([&] { return !lan.knows(lan.b, host); }));
  }
  CHECK(lan.b.worker->view().mirror.objects.at(0).in_sync);
}

TEST_CASE("neighbours come back after an interface was down, and belong to the device once it is master") {
  Lan lan;
  lan.send(lan.a, kHost4);
  REQUIRE(eventually([&] { return lan.knows(lan.b, kHost4); }));
  {
    const Inside inside(lan.b.where);
    sh("ip link set eth1 down && ip link set eth1 up");
  }
  REQUIRE(eventually([&] { return lan.knows(lan.b, kHost4); }));
  lan.a.master({});
  lan.b.master(kVsd0);
  CHECK(eventually([&] { return lan.neighbour(lan.b, kHost4).find("extern_learn") == std::string::npos; }));
  CHECK(lan.knows(lan.b, kHost4));
  CHECK(eventually([&] { return lan.neighbour(lan.a, kHost4).find("lladdr") != std::string::npos; }));
}

TEST_CASE("what a device has confirmed by itself counts more than what the peer says") {
  Lan lan;
  {
    const Inside inside(lan.b.where);
    sh("ip neigh add " + kHost4 + " lladdr 02:00:00:00:00:99 nud permanent dev eth1");
  }
  lan.send(lan.a, kHost4);
  lan.send(lan.a, kHost6);
  REQUIRE(eventually([&] { return lan.knows(lan.b, kHost6); }));  // told after the other
  CHECK(lan.neighbour(lan.b, kHost4).find("02:00:00:00:00:99 PERMANENT") != std::string::npos);
}

TEST_CASE("a class by name is sent again, and what this build does not have is refused by name") {
  Lan lan;
  lan.send(lan.a, kHost4);
  REQUIRE(eventually([&] { return lan.knows(lan.b, kHost4); }));
  const uint64_t sent = lan.a.worker->view().mirror.objects.at(0).sent;
  REQUIRE(lan.a.worker->resync("arp", false));
  CHECK(eventually([&] { return lan.a.worker->view().mirror.objects.at(0).sent > sent; }));
  REQUIRE(lan.b.worker->resync("all", true));
  CHECK(eventually([&] { return lan.a.worker->view().mirror.objects.at(0).sent > sent + 1; }));
  for (const std::string name : {"auth-table", "dhcp", "dns", "l2tp", "phase1-sa", "pki", "vpn"}) {
    const Status refused = lan.a.worker->resync(name, false);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message == "run-time objects of class " + name + " are not mirrored by this build");
  }
  CHECK_FALSE(lan.a.worker->resync("nonsense", false));
  lan.b.set_sync(false);
  CHECK(eventually([&] { return !lan.a.worker->resync("all", false).has_value(); }));
}
