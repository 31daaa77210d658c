// SPDX-License-Identifier: Apache-2.0
// The bridge of the transparent device, and what it has learned.
#include <doctest/doctest.h>

#include "kernel/bridge_table.h"
#include "kernel/network.h"
#include "namespaces.h"

using namespace nsrp;
using namespace nsrp::kernel;
using namespace nsrp::test;

namespace {

const std::string kName = "nsrpv1";
const MacAddress kHost = MacAddress::parse("02:aa:00:00:00:09").value();

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
bool exists(const std::string& name) {
  return has(sh("ip -o link"), ": " + name + ":") || has(sh("ip -o link"), ": " + name + "@");
}
void must(const Status& done) {
  REQUIRE_MESSAGE(done, done.error().message);
}
IfIndex index_of(const std::string& name) {
  return IfIndex{ifindex(name)};
}

bool forwards(const std::string& port) {
  return has(sh("bridge link show dev " + port), "state forwarding");
}

struct World {
  Namespace ns;
  Inside inside{ns};
  std::unique_ptr<Network> network;

  World() {
    sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");  // nobody speaks by himself
    for (const char* n : {"1", "2"}) {
      sh(std::string("ip link add eth") + n + " type veth peer name far" + n + "; ip link set far" + n +
         " up; ip link set eth" + n + " up");
    }
    auto opened = Network::open();
    REQUIRE(opened);
    network = std::move(*opened);
  }
};

}  // namespace

TEST_CASE("the bridge comes with its ports, without spanning tree and IPv6, and goes with the last of them") {
  World world;
  const std::vector<IfIndex> both = {index_of("eth1"), index_of("eth2")};
  must(world.network->keep_bridge_ports(kName, both));
  CHECK_FALSE(exists(kName));
  for (int again = 0; again < 2; ++again) {
    must(world.network->add_bridge_ports(kName, both));
    CHECK(has(sh("ip -d link show " + kName), "stp_state 0"));
    CHECK(has(sh("ip -d link show " + kName), "mcast_snooping 0"));
    CHECK(has(sh("ip link show " + kName), ",UP"));
    CHECK(eventually([&] { return forwards("eth2"); }));
    CHECK(sh("cat /proc/sys/net/ipv6/conf/" + kName + "/disable_ipv6")[0] == '1');
  }
  must(world.network->keep_bridge_ports(kName, {both[1]}));
  CHECK_FALSE(has(sh("ip link show eth1"), "master"));
  CHECK(has(sh("ip link show eth2"), "master nsrpv1"));
  CHECK(world.network->find("eth2").value()->master == index_of(kName));
  must(world.network->keep_bridge_ports(kName, {}));
  CHECK_FALSE(exists(kName));
}

TEST_CASE("an interface of another bridge is not taken away from it") {
  World world;
  sh("ip link add br9 type bridge; ip link set eth1 master br9");
  const Status refused = world.network->add_bridge_ports(kName, {index_of("eth1")});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "eth1 belongs to br9: take it out of there first (ip link set eth1 nomaster)");
  CHECK(has(sh("ip link show eth1"), "master br9"));
}

TEST_CASE("what the bridge learns is told with its port, also when it moves, ages or is taught") {
  World world;
  auto opened = BridgeTable::open(kName);
  REQUIRE(opened);
  BridgeTable& table = **opened;
  CHECK(table.all().value().empty());
  CHECK(table.ports().value().empty());
  const IfIndex eth1 = index_of("eth1"), eth2 = index_of("eth2");
  must(world.network->add_bridge_ports(kName, {eth1, eth2}));
  CHECK(table.ports().value() == std::vector{eth1, eth2});
  CHECK(table.all().value().empty());  // its own addresses are not learned
  REQUIRE(eventually([&] { return forwards("eth1") && forwards("eth2"); }));
  std::vector<LearnedMac> told;
  const auto events = [&] {
    told.clear();
    REQUIRE(table.consume_events([&](const LearnedMac& entry) { told.push_back(entry); }));
    return told;
  };
  events();
  must(table.learn(kHost, eth1));
  CHECK(events() == std::vector{LearnedMac{kHost, eth1}});
  must(table.learn(kHost, eth2));
  CHECK(events().back() == LearnedMac{kHost, eth2});
  CHECK(table.all().value() == std::vector{LearnedMac{kHost, eth2}});
  CHECK_FALSE(has(sh("bridge fdb show dev eth2 | grep " + to_string(kHost)), "permanent"));
  must(table.forget_all());
  CHECK(events() == std::vector{LearnedMac{kHost, eth2, true}});
  CHECK(table.all().value().empty());
  sh("ip link add br9 type bridge; ip link set br9 up; ip link add eth3 type veth peer name far3; ip link set far3 up; "
     "ip "
     "link set eth3 master br9 up");
  REQUIRE(eventually([&] { return forwards("eth3"); }));
  sh("bridge fdb add 02:aa:00:00:00:08 dev eth3 master dynamic");
  CHECK(events().empty());  // another bridge's
}
