// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "kernel/network.h"
#include "namespaces.h"

using namespace nsrp;
using namespace nsrp::kernel;
using namespace nsrp::test;

namespace {

Prefix prefix(const std::string& text) {
  return Prefix::parse(text).value();
}

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
    eth1 = IfIndex{ifindex("eth1")};
    open();
  }
  void open() {
    auto opened = Network::open();
    REQUIRE(opened);
    network = std::move(*opened);
  }
  void want(const std::vector<WantedAddress>& wanted, const std::vector<Prefix>& also_ours = {}) {
    const auto done = network->set_addresses(eth1, wanted, also_ours);
    REQUIRE_MESSAGE(done, done.error().message);
  }
  // One line an address, global ones only.
  std::string shown() const { return sh("ip -o addr show dev eth1 scope global"); }
  bool carries(const std::string& address) const { return has(shown(), " " + address + " "); }
  std::string source_towards(const std::string& address) const {
    const std::string route = sh("ip -o route get " + address);
    const size_t at = route.find(" src ") + 5;
    return route.substr(at, route.find(' ', at) - at);
  }
};

const WantedAddress kManage{prefix("10.1.1.2/24"), ""};
const WantedAddress kVsi{prefix("10.1.1.1/24"), "eth1:1"};
const WantedAddress kVsi2{prefix("10.1.1.3/24"), "eth1:2"};
const WantedAddress kManage6{prefix("2001:db8:1::2/64"), ""};
const WantedAddress kVsi6{prefix("2001:db8:1::1/64"), ""};

}  // namespace

TEST_CASE("wanted addresses appear with their label, unwanted ones of ours go, foreign ones stay") {
  World world;
  sh("ip addr add 10.9.9.9/24 dev eth1");
  world.want({kVsi, {prefix("10.2.2.1/24"), "eth1:2"}, kVsi6});
  CHECK(has(world.shown(), "10.1.1.1/24 scope global eth1:1"));
  CHECK(has(world.shown(), "10.2.2.1/24 scope global eth1:2"));
  CHECK(has(world.shown(), "2001:db8:1::1/64 scope global nodad"));
  world.want({kVsi});
  CHECK(world.carries("10.1.1.1/24"));
  CHECK_FALSE(world.carries("10.2.2.1/24"));
  CHECK_FALSE(world.carries("2001:db8:1::1/64"));
  CHECK(world.carries("10.9.9.9/24"));
}

TEST_CASE("an IPv6 address is usable at once") {
  World world;
  world.want({kVsi6});
  CHECK_FALSE(has(world.shown(), "tentative"));
  CHECK_FALSE(has(world.shown(), "deprecated"));
}

TEST_CASE("a label longer than the kernel allows is left out") {
  World world;
  world.want({{prefix("10.1.1.1/24"), "averylongname0:12"}});
  CHECK(has(world.shown(), "10.1.1.1/24 scope global eth1\\"));
}

TEST_CASE("a label that changed is written anew, once") {
  World world;
  world.want({kVsi});
  world.want({{kVsi.prefix, "eth1:7"}});
  CHECK(has(world.shown(), "10.1.1.1/24 scope global eth1:7"));
}

TEST_CASE("the manage IP speaks for the box, whenever it came") {
  World world;
  sh("echo 1 > /proc/sys/net/ipv4/conf/eth1/promote_secondaries");
  SUBCASE("with the VSI addresses") {}
  SUBCASE("after them") {
    world.want({kVsi, kVsi2, kVsi6});
    CHECK(world.source_towards("10.1.1.99") == "10.1.1.1");
    CHECK(world.source_towards("2001:db8:1::99") == "2001:db8:1::1");
  }
  SUBCASE("after them, where secondaries are not promoted") {
    sh("echo 0 > /proc/sys/net/ipv4/conf/eth1/promote_secondaries");
    world.want({kVsi, kVsi2, kVsi6});
  }
  SUBCASE("in another order than before") {
    world.want({kVsi, kManage, kVsi6, kManage6});
  }
  world.want({kManage, kVsi, kVsi2, kManage6, kVsi6});
  CHECK(world.source_towards("10.1.1.99") == "10.1.1.2");
  CHECK(world.source_towards("2001:db8:1::99") == "2001:db8:1::2");
  CHECK(has(world.shown(), "10.1.1.1/24 scope global secondary eth1:1"));
  CHECK(has(world.shown(), "10.1.1.3/24 scope global secondary eth1:2"));

  // Without the manage IP the VSI's is the one to speak from.
  world.want({kVsi, kVsi2, kVsi6});
  CHECK(world.source_towards("10.1.1.99") == "10.1.1.1");
  CHECK(world.source_towards("2001:db8:1::99") == "2001:db8:1::1");
  CHECK_FALSE(world.carries("10.1.1.2/24"));
}

TEST_CASE("routes through a subnet outlive the change of its primary address") {
  World world;
  sh("echo 1 > /proc/sys/net/ipv4/conf/eth1/promote_secondaries");
  world.want({kVsi});
  sh("ip route add 10.50.0.0/16 via 10.1.1.254");
  world.want({kManage, kVsi});
  CHECK(world.source_towards("10.1.1.99") == "10.1.1.2");
  CHECK(has(sh("ip route show"), "10.50.0.0/16 via 10.1.1.254"));
}

TEST_CASE("routes through an interface outlive a new prefix length of its only address") {
  World world;
  const WantedAddress host{prefix("10.1.1.2/32"), ""}, host6{prefix("2001:db8:1::2/128"), ""};
  world.want({kManage, kManage6});
  sh("ip route add 10.50.0.0/16 via 10.1.1.254; ip route add 2001:db8:50::/48 via 2001:db8:1::99");
  for (const bool alone : {true, false}) {
    world.want(alone ? std::vector{host, host6} : std::vector{kManage, kManage6});
    CHECK(world.carries("10.1.1.2/32") == alone);
    CHECK(world.carries("10.1.1.2/24") != alone);
    CHECK(world.carries("2001:db8:1::2/128") == alone);
    CHECK(world.carries("2001:db8:1::2/64") != alone);
    CHECK(has(sh("ip route show"), "10.50.0.0/16 via 10.1.1.254"));
    CHECK(has(sh("ip -6 route show"), "2001:db8:50::/48 via 2001:db8:1::99"));
  }
}

TEST_CASE("addresses of an earlier run are ours when named") {
  World world;
  world.want({kVsi, kVsi6});
  world.open();  // a new daemon
  world.want({}, {});
  CHECK(world.carries("10.1.1.1/24"));
  world.want({kManage}, {kVsi.prefix, kVsi6.prefix});
  CHECK_FALSE(world.carries("10.1.1.1/24"));
  CHECK_FALSE(world.carries("2001:db8:1::1/64"));
  CHECK(world.carries("10.1.1.2/24"));
}

TEST_CASE("setting the same addresses again changes nothing") {
  World world;
  world.want({kManage, kVsi, kManage6, kVsi6});
  // Removed and added again, an address would carry another time stamp.
  const std::string stamped = "ip -o -s addr show dev eth1 scope global; grep . /dev/null || true";
  const std::string before = sh(stamped);
  world.want({kManage, kVsi, kManage6, kVsi6});
  CHECK(sh(stamped) == before);
}

TEST_CASE("an address the kernel refuses is named") {
  World world;
  const auto done = world.network->set_addresses(IfIndex{4711}, {kVsi}, {});
  REQUIRE_FALSE(done);
  CHECK(has(done.error().message, "No such device"));
}

TEST_CASE("the link-local address counts only after duplicate address detection") {
  World world;
  sh("ip link add slow type veth peer name slow2; ip link set slow2 up");
  sh("echo 30 > /proc/sys/net/ipv6/conf/slow/dad_transmits; ip link set slow up");
  REQUIRE(eventually([] { return has(sh("ip -6 addr show dev slow"), "tentative"); }));
  const auto tentative = world.network->link_local(IfIndex{ifindex("slow")});
  REQUIRE(tentative);
  CHECK_FALSE(tentative->has_value());
  std::optional<IpAddress> usable;
  REQUIRE(eventually([&] {
    const auto found = world.network->link_local(world.eth1);
    REQUIRE(found);
    usable = *found;
    return usable.has_value();
  }));
  CHECK(has(sh("ip -6 addr show dev eth1 scope link"), to_string(*usable) + "/64"));
}

TEST_CASE("restore takes our addresses away and leaves the others") {
  World world;
  sh("ip addr add 10.9.9.9/24 dev eth1");
  world.want({kManage, kVsi, kVsi6});
  world.network->restore();
  CHECK_FALSE(world.carries("10.1.1.1/24"));
  CHECK_FALSE(world.carries("10.1.1.2/24"));
  CHECK_FALSE(world.carries("2001:db8:1::1/64"));
  CHECK(world.carries("10.9.9.9/24"));
}
