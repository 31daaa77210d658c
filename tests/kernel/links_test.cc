// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <linux/rtnetlink.h>
#include <poll.h>

#include <algorithm>
#include <map>

#include "kernel/network.h"
#include "kernel/rtnetlink.h"
#include "namespaces.h"

using namespace nsrp;
using namespace nsrp::kernel;
using namespace nsrp::test;

namespace {

struct World {
  Namespace ns;
  Inside inside{ns};
  World() { sh("ip link add eth1 address 02:00:00:00:00:01 mtu 1400 type veth peer name far"); }

  std::unique_ptr<Network> network() {
    auto opened = Network::open();
    REQUIRE_MESSAGE(opened, opened.error().message);
    return std::move(*opened);
  }
};

Link find(const Network& network, const std::string& name) {
  const auto link = network.find(name);
  REQUIRE(link);
  REQUIRE(link->has_value());
  return **link;
}

// What the events said last about each interface.
struct Told {
  std::map<std::string, Link> changed;
  std::vector<std::string> gone;
  void read(Network& network) {
    network.consume_events([&](const Link& link) { changed[link.name] = link; },
                           [&](IfIndex, const std::string& name) { gone.push_back(name); });
  }
};

// Thousands of link events, quickly.
void storm(const std::string& name, int count) {
  auto rtnetlink = Rtnetlink::open();
  REQUIRE(rtnetlink);
  for (int i = 0; i < count; ++i) {
    ifinfomsg info{};
    info.ifi_index = static_cast<int>(ifindex(name));
    RtMessage message(RTM_NEWLINK, 0, info);
    message.put_u32(IFLA_MTU, 1300 + static_cast<uint32_t>(i % 2));
    REQUIRE((*rtnetlink)->request(message).ok());
  }
}

}  // namespace

TEST_CASE("links tell name, MAC, MTU, speed, and kind") {
  World world;
  const auto network = world.network();
  const Link eth1 = find(*network, "eth1");
  CHECK(eth1.ifindex.value == ifindex("eth1"));
  CHECK(to_string(eth1.mac) == "02:00:00:00:00:01");
  CHECK(eth1.mtu == 1400);
  CHECK(eth1.speed_mbps == 10000);
  CHECK(eth1.ethernet);
  CHECK_FALSE(eth1.up);
  CHECK_FALSE(find(*network, "lo").ethernet);
  const auto links = network->links();
  REQUIRE(links);
  CHECK(links->size() == 3);
  const auto nobody = network->find("eth9");
  REQUIRE(nobody);
  CHECK_FALSE(nobody->has_value());
}

TEST_CASE("carrier needs both ends, up only this one") {
  World world;
  const auto network = world.network();
  REQUIRE(network->set_link_up(IfIndex{ifindex("eth1")}, true));
  CHECK(find(*network, "eth1").up);
  CHECK_FALSE(find(*network, "eth1").carrier);
  REQUIRE(network->set_link_up(IfIndex{ifindex("far")}, true));
  CHECK(find(*network, "eth1").carrier);
  REQUIRE(network->set_link_up(IfIndex{ifindex("eth1")}, false));
  CHECK_FALSE(find(*network, "eth1").up);
}

TEST_CASE("a lost carrier and a deleted interface are events") {
  World world;
  sh("ip link set eth1 up; ip link set far up");
  const auto network = world.network();
  Told told;
  told.read(*network);
  CHECK(told.changed.empty());

  sh("ip link set far down");
  pollfd waiting{network->events_fd(), POLLIN, 0};
  CHECK(::poll(&waiting, 1, 10000) == 1);
  REQUIRE(eventually([&] {
    told.read(*network);
    return told.changed.contains("eth1") && !told.changed["eth1"].carrier;
  }));
  CHECK(told.changed["eth1"].up);

  sh("ip link del eth1");
  REQUIRE(eventually([&] {
    told.read(*network);
    return told.gone.size() == 2;
  }));
}

TEST_CASE("leaving a bridge is not a deletion") {
  World world;
  sh("ip link add br0 type bridge; ip link set eth1 master br0");
  const auto network = world.network();
  Told told;
  sh("ip link set eth1 nomaster; ip link set eth1 alias last");
  told.read(*network);
  CHECK(told.changed.contains("eth1"));
  CHECK(told.gone.empty());
}

TEST_CASE("a dormant interface is not running, over a loss of carrier too, and the link list still says up") {
  World world;
  sh("ip link set eth1 up; ip link set far up");
  const auto network = world.network();
  const Link eth1 = find(*network, "eth1");
  const auto state = [] { return sh("ip -o link show eth1 | grep -o 'state [A-Z]*'"); };
  REQUIRE(network->set_dormant(eth1.ifindex, true));
  CHECK(state() == "state DORMANT\n");
  sh("ip link set far down");
  REQUIRE(eventually([&] { return !find(*network, "eth1").carrier; }));
  sh("ip link set far up");
  REQUIRE(eventually([&] { return find(*network, "eth1").carrier; }));
  REQUIRE(eventually([&] { return state() == "state DORMANT\n"; }));
  CHECK(find(*network, "eth1").up);
  REQUIRE(network->set_dormant(eth1.ifindex, false));
  CHECK(state() == "state UP\n");
  REQUIRE(network->set_dormant(eth1.ifindex, true));
  network->restore();
  CHECK(state() == "state UP\n");
}

TEST_CASE("no change is lost when the kernel drops events") {
  World world;
  sh("ip link set eth1 up; ip link set far up; ip link add other type veth peer name other2");
  const auto network = world.network();
  // Until well past what the socket's buffer holds; what happens then goes unheard.
  storm("lo", 40000);
  sh("ip link set far down; ip link del other");
  Told told;
  told.read(*network);
  REQUIRE(told.changed.contains("eth1"));
  CHECK_FALSE(told.changed["eth1"].carrier);
  CHECK(std::count(told.gone.begin(), told.gone.end(), "other") == 1);
  CHECK(std::count(told.gone.begin(), told.gone.end(), "other2") == 1);

  // And the events after that are heard again.
  told.changed.clear();
  sh("ip link set far up");
  REQUIRE(eventually([&] {
    told.read(*network);
    return told.changed.contains("eth1") && told.changed["eth1"].carrier;
  }));
}
