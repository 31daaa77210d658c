// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "kernel/network.h"
#include "namespaces.h"

using namespace nsrp;
using namespace nsrp::kernel;
using namespace nsrp::test;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct World {
  Namespace ns;
  Inside inside{ns};
  std::unique_ptr<Network> network;
  IfIndex eth1;

  World() {
    sh("ip link add eth1 type veth peer name far; ip link set eth1 up; ip link set far up");
    sh("ip addr add 10.1.1.2/24 dev eth1; ip addr add 2001:db8:1::2/64 dev eth1 nodad");
    eth1 = IfIndex{ifindex("eth1")};
    open();
  }
  void open() {
    auto opened = Network::open();
    REQUIRE(opened);
    network = std::move(*opened);
  }
  WantedRoute route(const std::string& destination, const std::string& gateway = "") const {
    WantedRoute route;
    route.destination = Prefix::parse(destination).value();
    route.ifindex = eth1;
    if (!gateway.empty()) route.gateway = IpAddress::parse(gateway).value();
    return route;
  }
  void want(const std::vector<WantedRoute>& wanted) {
    const auto done = network->set_routes(wanted);
    REQUIRE_MESSAGE(done, done.error().message);
  }
};

std::string ours() {
  return sh("ip -o -4 route show table all proto 78; ip -o -6 route show table all proto 78");
}
std::string rules() {
  return sh("ip rule show; ip -6 rule show");
}

}  // namespace

TEST_CASE("exactly the wanted routes of ours remain, over all tables and both families") {
  World world;
  sh("ip route add 10.60.0.0/16 via 10.1.1.254");
  auto in_table = world.route("10.70.0.0/16", "10.1.1.254");
  in_table.table = 1007;
  auto with_metric = world.route("2001:db8:9::/48", "2001:db8:1::254");
  with_metric.metric = 50;
  const std::vector<WantedRoute> wanted = {world.route("0.0.0.0/0", "10.1.1.254"), world.route("10.61.0.0/16"),
                                           world.route("::/0", "2001:db8:1::254"), in_table, with_metric};
  world.want(wanted);
  CHECK(has(ours(), "default via 10.1.1.254 dev eth1"));
  CHECK(has(ours(), "10.61.0.0/16 dev eth1 scope link"));
  CHECK(has(ours(), "default via 2001:db8:1::254 dev eth1 metric 1024"));
  CHECK(has(ours(), "10.70.0.0/16 via 10.1.1.254 dev eth1 table 1007"));
  CHECK(has(ours(), "2001:db8:9::/48 via 2001:db8:1::254 dev eth1 metric 50"));

  const std::string before = ours();
  world.want(wanted);
  CHECK(ours() == before);

  world.open();  // a new daemon finds the routes of the last one
  world.want({in_table});
  CHECK(ours() == "10.70.0.0/16 via 10.1.1.254 dev eth1 table 1007 \n");
  CHECK(has(sh("ip route show"), "10.60.0.0/16 via 10.1.1.254"));
  world.network->restore();
  CHECK(ours().empty());
}

TEST_CASE("a route that changes its gateway is replaced, not doubled") {
  World world;
  for (const char* gateway : {"10.1.1.254", "10.1.1.253"}) {
    world.want({world.route("10.61.0.0/16", gateway)});
    CHECK(ours() == std::string("10.61.0.0/16 via ") + gateway + " dev eth1 \n");
  }
  world.want({});
  for (const char* gateway : {"2001:db8:1::fe", "2001:db8:1::fd"}) {
    world.want({world.route("2001:db8:9::/48", gateway)});
    CHECK(has(ours(), std::string("2001:db8:9::/48 via ") + gateway + " dev eth1 metric 1024"));
    CHECK(ours().find('\n') == ours().size() - 1);
  }
}

TEST_CASE("a destination is taken without its host part") {
  World world;
  for (int times = 0; times < 2; ++times) world.want({world.route("10.61.7.7/16", "10.1.1.254")});
  CHECK(has(ours(), "10.61.0.0/16 via 10.1.1.254"));
}

TEST_CASE("a route the kernel refuses is named, and keeps no other out") {
  World world;
  const auto done =
      world.network->set_routes({world.route("10.61.0.0/16", "192.0.2.1"), world.route("10.62.0.0/16", "10.1.1.254")});
  REQUIRE_FALSE(done);
  CHECK(has(done.error().message, "10.61.0.0/16 via 192.0.2.1 on eth1"));
  CHECK(has(done.error().message, "gateway"));  // the kernel's own words
  CHECK(has(ours(), "10.62.0.0/16"));
}

TEST_CASE("a foreign route in the same place is left alone, and said") {
  World world;
  sh("ip route add 10.61.0.0/16 via 10.1.1.250");
  const auto done = world.network->set_routes({world.route("10.61.0.0/16", "10.1.1.254")});
  REQUIRE_FALSE(done);
  CHECK(has(done.error().message, "File exists"));
  CHECK(has(sh("ip route show"), "10.61.0.0/16 via 10.1.1.250"));
}

TEST_CASE("rules lead marked packets to their table") {
  World world;
  sh("ip rule add fwmark 0x99 table 99");
  const std::vector<WantedRule> wanted = {{Family::kIpv4, 0x02000000, 0x7f000000, 1001},
                                          {Family::kIpv6, 0x02000000, 0x7f000000, 1001},
                                          {Family::kIpv4, 0x03000000, 0x7f000000, 1002}};
  REQUIRE(world.network->set_rules(wanted));
  const std::string all = rules();
  CHECK(has(all, "10078:\tfrom all fwmark 0x2000000/0x7f000000 lookup 1001 proto 78"));
  CHECK(has(all, "lookup 1002"));
  REQUIRE(world.network->set_rules(wanted));
  CHECK(rules() == all);

  auto route = world.route("10.80.0.0/16", "10.1.1.254");
  route.table = 1001;
  world.want({route});
  CHECK(has(sh("ip route get 10.80.0.1 mark 0x2000000"), "via 10.1.1.254"));

  world.open();
  REQUIRE(world.network->set_rules({wanted[2]}));
  CHECK_FALSE(has(rules(), "lookup 1001"));
  CHECK(has(rules(), "lookup 1002"));
  world.network->restore();
  CHECK_FALSE(has(rules(), "lookup 1002"));
  CHECK(has(rules(), "lookup 99"));
}
