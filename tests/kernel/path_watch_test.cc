// SPDX-License-Identifier: Apache-2.0
// What counts as a change of how packets are forwarded, and what does not.
#include "kernel/path_watch.h"

#include <doctest/doctest.h>

#include "namespaces.h"

using namespace nsrp;
using namespace nsrp::kernel;
using namespace nsrp::test;

namespace {

struct World {
  Namespace ns;
  Inside inside{ns};
  std::unique_ptr<PathWatch> watch;

  World() {
    sh("ip link set lo up && ip link add eth1 type veth peer name far && ip link set eth1 up && ip link set far up");
    sh("ip addr add 10.1.1.1/24 dev eth1 && ip neigh add 10.1.1.9 lladdr 02:00:00:00:00:09 dev eth1 nud reachable");
    auto opened = PathWatch::open();
    REQUIRE_MESSAGE(opened, opened.error().message);
    watch = std::move(*opened);
    // Interfaces that have just come up keep the kernel busy for a while.
    REQUIRE(eventually([this] { return !watch->consume() && !watch->consume(); }));
  }
  bool changes(const std::string& command) const {
    sh(command);
    return eventually([this] { return watch->consume(); }, std::chrono::seconds(20));
  }
};

}  // namespace

TEST_CASE("routes, rules and links count") {
  const World world;
  CHECK(world.changes("ip route add 192.0.2.0/24 via 10.1.1.9"));
  CHECK(world.changes("ip route del 192.0.2.0/24"));
  CHECK(world.changes("ip rule add fwmark 7 lookup 77"));
  CHECK(world.changes("ip link set eth1 mtu 1400"));
}

TEST_CASE("a neighbour counts when its MAC changes or it is gone, not when it is confirmed or new") {
  const World world;
  const auto says_nothing = [&](const std::string& command) {
    sh(command);
    return !world.watch->consume();
  };
  CHECK(says_nothing("ip neigh change 10.1.1.9 lladdr 02:00:00:00:00:09 dev eth1 nud stale"));
  CHECK(says_nothing("ip neigh add 10.1.1.10 lladdr 02:00:00:00:00:10 dev eth1 nud reachable"));
  CHECK(world.changes("ip neigh change 10.1.1.9 lladdr 02:00:00:00:00:0a dev eth1 nud reachable"));
  CHECK(world.changes("ip neigh del 10.1.1.10 dev eth1"));
}

TEST_CASE("a changed nftables ruleset counts") {
  const World world;
  CHECK(world.changes(
      "nft 'table ip t { set s { type ipv4_addr; }; chain c { type filter hook forward priority 0; }; }'"));
  CHECK(world.changes("nft add rule ip t c tcp dport 80 drop"));
  CHECK(world.changes("nft add element ip t s { 192.0.2.1 }"));
}

TEST_CASE("another namespace is none of its business") {
  const World world;
  const Namespace other;
  {
    const Inside there(other);
    sh("ip link set lo up && nft 'table ip t { }'");
  }
  CHECK_FALSE(world.watch->consume());
}
