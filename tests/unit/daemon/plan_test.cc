// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "config/language.h"

using namespace nsrp;
using namespace nsrp::daemon;

namespace {

config::Config configuration(const std::string& text) {
  Result<config::Config> loaded = config::load(text, "test");
  REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error().message));
  return *loaded;
}

LinksByName links(std::initializer_list<const char*> names) {
  LinksByName result;
  uint32_t ifindex = 10;
  for (const char* name : names) {
    kernel::Link link;
    link.ifindex = IfIndex{ifindex};
    link.name = name;
    link.mac.bytes = {2, 0, 0, 0, 0, static_cast<uint8_t>(ifindex)};
    link.carrier = link.up = link.ethernet = true;
    result[name] = link;
    ++ifindex;
  }
  return result;
}

const char kPair[] =
    "set interface ha1 zone ha\n"
    "set interface eth1 zone trust\n"
    "set interface eth1 ip 10.1.0.1/24\n"
    "set interface eth1 manage-ip 10.1.0.2\n"
    "set nsrp cluster id 1\n";

}  // namespace

TEST_CASE("in a cluster an address is a VSI's, with the manage IP before it and its label") {
  const Plan plan = make_plan(configuration(kPair), links({"eth1", "ha1"}));
  const InterfacePlan& eth1 = plan.interfaces.at("eth1");
  CHECK(eth1.traffic);
  REQUIRE(eth1.addresses.size() == 2);
  CHECK(to_string(eth1.addresses[0].prefix) == "10.1.0.2/24");
  CHECK(to_string(eth1.addresses[1].prefix) == "10.1.0.1/24");
  CHECK(eth1.addresses[1].label == "eth1:0");
  REQUIRE(plan.vsis.size() == 1);
  CHECK(eth1.virtual_macs == std::vector<MacAddress>{plan.vsis[0].vmac});
  CHECK(plan.interfaces.at("ha1").ha);
  const auto manage = std::find_if(plan.addresses.begin(), plan.addresses.end(),
                                   [](const auto& entry) { return entry.kind == NSRP_ADDR_DEVICE; });
  REQUIRE(manage != plan.addresses.end());
  CHECK(to_string(manage->address) == "10.1.0.2");
}

TEST_CASE("outside a cluster, or without VSD 0, the interface is local: no virtual MAC, no program") {
  for (const std::string& text : {std::string("set interface eth1 zone trust\nset interface eth1 ip 10.1.0.1/24\n"),
                                  std::string(kPair) + "unset nsrp vsd-group id 0\n"}) {
    const Plan plan = make_plan(configuration(text), links({"eth1", "ha1"}));
    CHECK(plan.vsis.empty());
    CHECK(!plan.interfaces.at("eth1").traffic);
    const auto& addresses = plan.interfaces.at("eth1").addresses;
    REQUIRE(!addresses.empty());
    CHECK(addresses.back().label.empty());
  }
}

TEST_CASE("a device that left the cluster does not keep the addresses of other VSDs") {
  const std::string text =
      std::string(kPair) + "set nsrp vsd-group id 1\nset interface eth1:1 ip 10.1.0.9/24\nset nsrp cluster id 0\n";
  const Plan plan = make_plan(configuration(text), links({"eth1", "ha1"}));
  for (const auto& address : plan.interfaces.at("eth1").addresses) CHECK(to_string(address.prefix) != "10.1.0.9/24");
}

TEST_CASE("an interface of several VSDs is marked as such; one of a single VSI names it") {
  const std::string two = std::string(kPair) + "set nsrp vsd-group id 1\nset interface eth1:1 ip 10.1.0.9/24\n";
  const auto entry_of = [](const Plan& plan) {
    return *std::find_if(plan.entries.begin(), plan.entries.end(),
                         [](const auto& entry) { return (entry.flags & NSRP_IF_TRAFFIC) != 0; });
  };
  const Plan single = make_plan(configuration(kPair), links({"eth1", "ha1"}));
  CHECK(entry_of(single).only_vid == single.vsis[0].vid);
  CHECK((entry_of(single).flags & NSRP_IF_MULTI_VSD) == 0);
  const Plan several = make_plan(configuration(two), links({"eth1", "ha1"}));
  CHECK(entry_of(several).only_vid == Vid{});
  CHECK((entry_of(several).flags & NSRP_IF_MULTI_VSD) != 0);
}

TEST_CASE("a VSD's own routes stand in a table of its own, found by the mark of its packets") {
  const std::string text = std::string(kPair) +
                           "set nsrp vsd-group id 1\nset interface eth1:1 ip 10.1.0.9/24\n"
                           "set vrouter trust-vr route 0.0.0.0/0 interface eth1 gateway 10.1.0.254\n"
                           "set vrouter trust-vr route 0.0.0.0/0 interface eth1:1 gateway 10.1.0.253\n";
  const Plan plan = make_plan(configuration(text), links({"eth1", "ha1"}));
  REQUIRE(plan.routes.size() == 3);
  CHECK(plan.routes[0].table != plan.routes[1].table);
  REQUIRE(plan.rules.size() == 1);
  CHECK(plan.rules[0].table == routing_table_of(VsdId{1}));
  CHECK(plan.rules[0].mark == 2u << NSRP_MARK_SHIFT);
}

TEST_CASE("a VSD's own table knows the subnets of the interfaces too, and the data path knows that table") {
  const std::string text = std::string(kPair) +
                           "set interface eth1 ip 2001:db8::1/64\nset nsrp vsd-group id 1\n"
                           "set interface eth1:1 ip 10.1.0.9/24\n"
                           "set vrouter trust-vr route 0.0.0.0/0 interface eth1:1 gateway 10.1.0.253\n";
  const Plan plan = make_plan(configuration(text), links({"eth1", "ha1"}));
  std::vector<std::string> told;
  for (const kernel::VsdRouteEntry& route : plan.vsd_routes) {
    CHECK(route.vsd == VsdId{1});
    CHECK(route.ifindex == IfIndex{10});
    told.push_back(to_string(route.destination));
  }
  CHECK(told == std::vector<std::string>{"0.0.0.0/0", "10.1.0.0/24"});
  REQUIRE(plan.routes.size() == 2);
  CHECK(plan.routes[1].table == routing_table_of(VsdId{1}));
  CHECK_FALSE(plan.routes[1].gateway.has_value());
}

TEST_CASE("a configured interface that does not exist is reported, and the rest is planned") {
  const Plan plan = make_plan(configuration(kPair), links({"eth1"}));
  CHECK(plan.missing == std::vector<std::string>{"ha1"});
  CHECK(plan.interfaces.contains("eth1"));
}

TEST_CASE("every address of a VSD is announced from its interface with its virtual MAC") {
  const auto targets = announce_targets(configuration(kPair), links({"eth1", "ha1"}));
  REQUIRE(targets.contains(VsdId{0}));
  REQUIRE(targets.at(VsdId{0}).size() == 1);
  CHECK(to_string(targets.at(VsdId{0})[0].addresses.at(0)) == "10.1.0.1");
}

TEST_CASE("links are numbered: zone ha from the lowest name on, then the control interface, then the secondary path") {
  const config::Config config = configuration(
      "set interface ha10 zone ha\nset interface ha2 zone ha\nset interface eth1 zone trust\n"
      "set interface eth2 zone untrust\nset nsrp interface eth2\nset nsrp secondary-path eth1\n");
  using core::LinkIndex;
  const std::map<LinkIndex, std::string> expected = {
      {LinkIndex{0}, "ha2"}, {LinkIndex{1}, "ha10"}, {core::kControlInterface, "eth2"}, {core::kSecondaryPath, "eth1"}};
  CHECK(link_names(config) == expected);
  CHECK(link_names(config::Config{}).empty());
}

namespace {

std::vector<std::string> addresses_of(const Plan& plan, const std::string& name) {
  std::vector<std::string> all;
  for (const auto& address : plan.interfaces.at(name).addresses) all.push_back(to_string(address.prefix));
  return all;
}

std::vector<std::string> routes_of(const Plan& plan) {
  std::vector<std::string> all;
  for (const auto& route : plan.routes) all.push_back(to_string(route.destination));
  return all;
}

}  // namespace

TEST_CASE("an interface whose VSIs are all down is dormant and keeps its addresses") {
  const Plan plan = make_plan(configuration(kPair), links({"eth1", "ha1"}), {VsdId{0}});
  CHECK(plan.interfaces.at("eth1").dormant);
  CHECK_FALSE(plan.interfaces.at("ha1").dormant);
  CHECK(addresses_of(plan, "eth1") == std::vector<std::string>{"10.1.0.2/24", "10.1.0.1/24"});
  CHECK_FALSE(make_plan(configuration(kPair), links({"eth1", "ha1"})).interfaces.at("eth1").dormant);
}

TEST_CASE("where an active VSI shares the interface, the subnets of those that are down are not connected") {
  const std::string text = std::string(kPair) +
                           "set interface eth1 ip 2001:db8::1/64\nset interface eth1 manage-ip 2001:db8::2\n"
                           "set nsrp vsd-group id 1\nset interface eth1:1 ip 10.3.0.1/24\n";
  const auto eth1 = links({"eth1", "ha1"});
  const Plan first = make_plan(configuration(text), eth1, {VsdId{0}});
  CHECK_FALSE(first.interfaces.at("eth1").dormant);
  CHECK(addresses_of(first, "eth1") == std::vector<std::string>{"10.1.0.2/32", "2001:db8::2/128", "10.3.0.1/24"});
  CHECK(routes_of(first) == std::vector<std::string>{"10.1.0.0/24", "2001:db8::/64"});
  CHECK(first.addresses.size() == make_plan(configuration(text), eth1).addresses.size());  // guarded as ever
  const Plan second = make_plan(configuration(text), eth1, {VsdId{1}});
  CHECK(addresses_of(second, "eth1") ==
        std::vector<std::string>{"10.1.0.2/24", "2001:db8::2/64", "10.1.0.1/24", "2001:db8::1/64"});
  CHECK(routes_of(second) == std::vector<std::string>{"10.3.0.0/24"});
  CHECK(make_plan(configuration(text), eth1, {VsdId{0}, VsdId{1}}).interfaces.at("eth1").dormant);
}

TEST_CASE("a subnet that an active VSI shares stays connected") {
  const std::string text = std::string(kPair) + "set nsrp vsd-group id 1\nset interface eth1:1 ip 10.1.0.9/24\n";
  const Plan plan = make_plan(configuration(text), links({"eth1", "ha1"}), {VsdId{0}});
  CHECK(addresses_of(plan, "eth1") == std::vector<std::string>{"10.1.0.2/24", "10.1.0.9/24"});
  CHECK(plan.routes.empty());
}

TEST_CASE("an interface is not dormant while a VLAN device on top of it has an active VSI") {
  const std::string text = std::string(kPair) +
                           "set nsrp vsd-group id 1\nset interface eth1.5 zone trust\n"
                           "set interface eth1.5:1 ip 10.5.0.1/24\n";
  LinksByName stacked = links({"eth1", "eth1.5", "ha1"});
  stacked["eth1.5"].lower = stacked["eth1"].ifindex;
  const Plan above = make_plan(configuration(text), stacked, {VsdId{0}});
  CHECK_FALSE(above.interfaces.at("eth1").dormant);
  CHECK(addresses_of(above, "eth1") == std::vector<std::string>{"10.1.0.2/32"});
  const Plan both = make_plan(configuration(text), stacked, {VsdId{0}, VsdId{1}});
  CHECK(both.interfaces.at("eth1").dormant);
  CHECK(both.interfaces.at("eth1.5").dormant);
}

TEST_CASE("ports of the transparent device get no addresses, and carry neither VSIs nor HA messages") {
  const Plan plan = make_plan(configuration("set interface ha1 zone ha\n"
                                            "set interface eth1 zone v1-trust\n"
                                            "set interface eth2 zone v1-untrust\n"
                                            "set nsrp cluster id 1\n"),
                              links({"eth1", "eth2", "ha1"}));
  CHECK(plan.ports == std::vector{IfIndex{10}, IfIndex{11}});
  for (const char* name : {"eth1", "eth2"}) {
    const InterfacePlan& port = plan.interfaces.at(name);
    CHECK(port.port);
    CHECK_FALSE(port.traffic);
    CHECK_FALSE(port.ha);
    CHECK(port.addresses.empty());
  }
  CHECK(plan.vsis.empty());
  CHECK(plan.entries.size() == 1);
}

TEST_CASE("what stands on a port is refused by name") {
  LinksByName known = links({"eth1", "eth1.7", "eth2"});
  known.at("eth1.7").lower = known.at("eth1").ifindex;
  known.at("eth1.7").vlan_vid = 7;
  const auto checked = [&](const std::string& zone_of_eth1) {
    return check_ports(make_plan(configuration("set interface eth1 zone " + zone_of_eth1 +
                                               "\n"
                                               "set interface eth1.7 zone dmz\n"
                                               "set interface eth2 zone v1-untrust\n"),
                                 known));
  };
  CHECK(checked("trust"));
  const Status refused = checked("v1-trust");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message ==
        "eth1.7 stands on eth1, which is a port of the transparent device and closed on a backup; take one of the two "
        "out of its zone");
}
