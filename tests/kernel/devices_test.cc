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

  World() {
    sh("ip link add eth1 type veth peer name far; ip link set far up");
    auto opened = Network::open();
    REQUIRE(opened);
    network = std::move(*opened);
  }
  void filter(const std::string& name, const std::vector<MacAddress>& macs) {
    const auto done = network->set_unicast_filter(IfIndex{ifindex(name)}, macs);
    REQUIRE_MESSAGE(done, done.error().message);
  }
};

const MacAddress kVirtual = MacAddress::parse("02:4e:53:00:00:01").value();
const MacAddress kVirtual2 = MacAddress::parse("02:4e:53:00:00:02").value();

std::string filters(const std::string& name) {
  return sh("bridge fdb show dev " + name);
}
bool promiscuous(const std::string& name) {
  return has(sh("ip link show " + name), "PROMISC");
}
int sysctl(const std::string& path) {
  return std::stoi(sh("cat /proc/sys/net/" + path));
}
void set_sysctl(const std::string& path, int value) {
  sh("echo " + std::to_string(value) + " > /proc/sys/net/" + path);
}

}  // namespace

TEST_CASE("the filter holds exactly the wanted virtual MACs beside foreign ones") {
  World world;
  sh("bridge fdb add 02:aa:00:00:00:01 dev eth1 self permanent");
  world.filter("eth1", {kVirtual, kVirtual2});
  CHECK(has(filters("eth1"), "02:4e:53:00:00:01 self permanent"));
  world.filter("eth1", {kVirtual2});
  CHECK_FALSE(has(filters("eth1"), "02:4e:53:00:00:01"));
  CHECK(has(filters("eth1"), "02:4e:53:00:00:02 self permanent"));
  CHECK_FALSE(promiscuous("eth1"));
  world.network->restore();
  CHECK_FALSE(has(filters("eth1"), "02:4e:53"));
  CHECK(has(filters("eth1"), "02:aa:00:00:00:01 self permanent"));
}

TEST_CASE("an entry left by an earlier run is taken over") {
  World world;
  sh("bridge fdb add 02:4e:53:00:00:01 dev eth1 self permanent");
  world.filter("eth1", {kVirtual});
  world.filter("eth1", {});
  CHECK_FALSE(has(filters("eth1"), "02:4e:53"));
}

TEST_CASE("where the driver has no filter the interface goes promiscuous, for as long as needed") {
  World world;
  sh("ip tuntap add dev tun0 mode tun");  // takes no Ethernet addresses
  world.filter("tun0", {kVirtual});
  CHECK(promiscuous("tun0"));
  world.filter("tun0", {});
  CHECK_FALSE(promiscuous("tun0"));
  SUBCASE("also when the daemon leaves") {
    world.filter("tun0", {kVirtual});
    world.network->restore();
    CHECK_FALSE(promiscuous("tun0"));
  }
  SUBCASE("but stays so where an operator wanted it") {
    sh("ip link set tun0 promisc on");
    world.filter("tun0", {kVirtual});
    world.filter("tun0", {});
    CHECK(promiscuous("tun0"));
  }
}

TEST_CASE("a traffic interface gets what a VSI needs, and all of it is undone") {
  World world;
  set_sysctl("ipv4/conf/all/arp_ignore", 0);
  set_sysctl("ipv4/conf/eth1/promote_secondaries", 0);
  set_sysctl("ipv4/conf/all/rp_filter", 1);
  REQUIRE(world.network->prepare_traffic_interface("eth1"));
  CHECK(sysctl("ipv4/conf/all/arp_ignore") == 1);
  CHECK(sysctl("ipv4/conf/all/arp_announce") == 2);
  CHECK(sysctl("ipv4/conf/eth1/arp_ignore") == 1);
  CHECK(sysctl("ipv4/conf/eth1/promote_secondaries") == 1);
  CHECK(sysctl("ipv4/conf/eth1/rp_filter") == 2);
  CHECK(sysctl("ipv4/conf/all/rp_filter") == 1);  // other interfaces keep their strict check
  CHECK(sysctl("ipv6/conf/eth1/keep_addr_on_down") == 1);
  REQUIRE(world.network->prepare_traffic_interface("eth1"));  // twice is once
  world.network->restore();
  CHECK(sysctl("ipv4/conf/all/arp_ignore") == 0);
  CHECK(sysctl("ipv4/conf/all/arp_announce") == 0);
  CHECK(sysctl("ipv4/conf/eth1/arp_ignore") == 0);
  CHECK(sysctl("ipv4/conf/eth1/promote_secondaries") == 0);
  CHECK(sysctl("ipv4/conf/eth1/rp_filter") == 0);
  CHECK(sysctl("ipv6/conf/eth1/keep_addr_on_down") == 0);
}

TEST_CASE("what an operator made stricter, or switched off, stays") {
  World world;
  set_sysctl("ipv4/conf/all/arp_ignore", 2);
  set_sysctl("ipv4/conf/all/rp_filter", 0);
  set_sysctl("ipv4/conf/eth1/rp_filter", 0);
  REQUIRE(world.network->prepare_traffic_interface("eth1"));
  CHECK(sysctl("ipv4/conf/all/arp_ignore") == 2);
  CHECK(sysctl("ipv4/conf/eth1/rp_filter") == 0);
  set_sysctl("ipv4/conf/all/arp_announce", 1);  // changed by somebody after us
  world.network->restore();
  CHECK(sysctl("ipv4/conf/all/arp_ignore") == 2);
  CHECK(sysctl("ipv4/conf/all/arp_announce") == 1);
}

TEST_CASE("a VSI's IPv6 address outlives its interface going down") {
  World world;
  REQUIRE(world.network->prepare_traffic_interface("eth1"));
  sh("ip link set eth1 up");
  const auto address = Prefix::parse("2001:db8:1::1/64").value();
  REQUIRE(world.network->set_addresses(IfIndex{ifindex("eth1")}, {{address, ""}}, {}));
  sh("ip link set eth1 down; ip link set eth1 up");
  CHECK(has(sh("ip -6 addr show dev eth1"), "2001:db8:1::1/64"));
}

TEST_CASE("no other interface gives away a VSI address") {
  World world;
  Namespace neighbour;
  sh("ip link add mgmt type veth peer name eth0 netns " + neighbour.path());
  sh("ip link set mgmt up; ip addr add 192.0.2.1/24 dev mgmt; ip link set eth1 up");
  {
    Inside there(neighbour);
    sh("ip link set eth0 up; ip addr add 192.0.2.2/24 dev eth0; ip route add 10.1.1.0/24 dev eth0");
  }
  REQUIRE(world.network->set_addresses(IfIndex{ifindex("eth1")}, {{Prefix::parse("10.1.1.1/24").value(), ""}}, {}));
  const auto answered = [&](const std::string& address) {
    Inside there(neighbour);
    sh("ip neigh flush dev eth0; ping -c 1 -W 1 " + address + " > /dev/null || true");
    return has(sh("ip neigh show " + address), "lladdr");
  };
  CHECK(answered("10.1.1.1"));  // Linux as it is
  REQUIRE(world.network->prepare_traffic_interface("eth1"));
  CHECK_FALSE(answered("10.1.1.1"));
  CHECK(answered("192.0.2.1"));
}

TEST_CASE("an HA interface leaves VLAN tags in the frame, has a link-local address, and is up") {
  World world;
  const auto offloads = [] { return sh("ethtool -k eth1 | grep -E '^(rx|tx)-vlan-offload'"); };
  REQUIRE(has(offloads(), "tx-vlan-offload: on"));
  set_sysctl("ipv6/conf/eth1/disable_ipv6", 1);
  set_sysctl("ipv6/conf/eth1/addr_gen_mode", 1);
  const auto done = world.network->prepare_ha_interface("eth1");
  REQUIRE_MESSAGE(done, done.error().message);
  CHECK(has(offloads(), "tx-vlan-offload: off"));
  CHECK(has(offloads(), "rx-vlan-offload: off"));
  CHECK(has(sh("ip link show eth1"), "UP"));
  CHECK(eventually([&] {
    const auto address = world.network->link_local(IfIndex{ifindex("eth1")});
    return address && address->has_value();
  }));
  world.network->restore();
  CHECK(has(offloads(), "tx-vlan-offload: on"));
  CHECK(has(offloads(), "rx-vlan-offload: on"));
  CHECK(sysctl("ipv6/conf/eth1/disable_ipv6") == 1);
}

TEST_CASE("an interface that is not there is named") {
  World world;
  const auto ha = world.network->prepare_ha_interface("ha9");
  REQUIRE_FALSE(ha);
  CHECK(has(ha.error().message, "ha9"));
  const auto traffic = world.network->prepare_traffic_interface("eth9");
  REQUIRE_FALSE(traffic);
  CHECK(has(traffic.error().message, "eth9"));
}
