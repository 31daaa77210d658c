// SPDX-License-Identifier: Apache-2.0
// Class mac: two gateways that bridge the same two networks, and the switches of these.
#include <doctest/doctest.h>

#include "gateway.h"

using namespace nsrp;
using namespace nsrp::test;

namespace {

const std::set<VsdId> kVsd0 = {VsdId{0}};
const std::string kClient = "02:cc:00:00:00:01", kServer = "02:dd:00:00:00:01";

struct Bridged : Pair {
  Namespace switches;

  Bridged() {
    const Inside inside(switches);
    sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");  // nobody speaks by himself
    sh("ip link add trust type bridge mcast_snooping 0 && ip link set trust up && ip link add untrust type bridge "
       "mcast_snooping 0 && ip link set "
       "untrust "
       "up");
    plug(a, "a");
    plug(b, "b");
    a.master(kVsd0);
    meet();
    REQUIRE(eventually([&] { return a.in_sync() && b.in_sync(); }));
  }

  static void learn(Gateway& gateway, const std::string& mac, const std::string& port) {
    const Inside inside(gateway.where);
    sh("bridge fdb replace " + mac + " dev " + port + " master dynamic");
  }
  static bool knows(Gateway& gateway, const std::string& mac, const std::string& port) {
    const Inside inside(gateway.where);
    return sh("bridge fdb show dev " + port).find(mac) != std::string::npos;
  }
  // Where a switch would send a frame to that address.
  std::string path(const std::string& name, const std::string& mac) const {
    const Inside inside(switches);
    return sh("bridge fdb show br " + name + " | grep '^" + mac + "' | cut -d' ' -f3");
  }
  bool becomes(const std::string& name, const std::string& mac, const std::string& port) const {
    return eventually([&] { return path(name, mac) == port + "\n"; });
  }
  static uint64_t held(Gateway& gateway) { return gateway.worker->view().mirror.objects.at(1).held; }

 private:
  static void plug(Gateway& gateway, const std::string& name) {
    {
      const Inside inside(gateway.where);
      sh("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");  // of the ports to come
    }
    for (const std::string n : {"1", "2"}) {
      sh("ip link add " + name + n + " type veth peer eth" + n + " netns " + gateway.where.path() + " && ip link set " +
         name + n + " master " + (n == "1" ? "trust" : "untrust") + " up");
    }
    const Inside inside(gateway.where);
    // Closed as on a backup: what the switches learn is from the frames that a new master sends.
    sh("ip link add nsrpv1 type bridge mcast_snooping 0 && ip link set nsrpv1 up && ip link set eth1 master nsrpv1 up "
       "&& ip link set "
       "eth2 "
       "master nsrpv1 up && nft 'add table bridge closed; add chain bridge closed forward { type filter hook forward "
       "priority 0; policy drop; }'");
    for (const std::string port : {"eth1", "eth2"}) {
      REQUIRE(eventually([&] { return sh("bridge link show dev " + port).find("forwarding") != std::string::npos; }));
    }
  }
};

}  // namespace

TEST_CASE("a new master knows what the bridge of the former one had learned, and the switches learn the new path") {
  Bridged lan;
  lan.learn(lan.a, kClient, "eth1");
  lan.learn(lan.a, kServer, "eth1");
  lan.learn(lan.a, kServer, "eth2");  // it has moved
  REQUIRE(eventually([&] { return lan.held(lan.b) == 2; }));
  CHECK_FALSE(lan.knows(lan.b, kClient, "eth1"));
  CHECK(lan.path("untrust", kClient).empty());
  lan.a.stop_worker();
  lan.b.master(kVsd0);
  CHECK(lan.becomes("untrust", kClient, "b2"));
  CHECK(lan.becomes("trust", kServer, "b1"));
  CHECK(lan.path("trust", kClient).empty());  // nothing is said where an address is
  CHECK(lan.path("untrust", kServer).empty());
  CHECK(lan.knows(lan.b, kClient, "eth1"));
  CHECK(lan.knows(lan.b, kServer, "eth2"));
}

TEST_CASE("what has gone at the master goes at the peer") {
  Bridged lan;
  lan.learn(lan.a, kClient, "eth1");
  REQUIRE(eventually([&] { return lan.held(lan.b) == 1; }));
  {
    const Inside inside(lan.a.where);
    sh("bridge fdb del " + kClient + " dev eth1 master");
  }
  CHECK(eventually([&] { return lan.held(lan.b) == 0; }));
}

TEST_CASE("a master that hands over forgets, and takes over again with what it had even if nobody tells it") {
  Bridged lan;
  lan.learn(lan.a, kClient, "eth1");
  REQUIRE(eventually([&] { return lan.held(lan.b) == 1; }));
  lan.cut("ha1");
  lan.a.master({});
  REQUIRE(eventually([&] { return !lan.knows(lan.a, kClient, "eth1"); }));
  lan.a.master(kVsd0);
  CHECK(lan.becomes("untrust", kClient, "a2"));
  CHECK(lan.knows(lan.a, kClient, "eth1"));
}
