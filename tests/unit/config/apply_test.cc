// SPDX-License-Identifier: Apache-2.0
#include "builders.h"

using namespace nsrp;
using namespace nsrp::config;
using namespace nsrp::config::test;

TEST_CASE("the defaults are the manual's table") {
  const Config config;
  CHECK(VsdGroup{}.priority == 100);
  CHECK_FALSE(VsdGroup{}.preempt);
  CHECK(VsdGroup{}.hold_down == seconds(0));
  CHECK(config.init_hold * config.hb_interval == seconds(5));  // "initial state hold-down time: 5 seconds"
  CHECK(config.hb_interval == milliseconds(1000));
  CHECK(config.hb_threshold == 3);
  CHECK_FALSE(config.master_always_exist);
  CHECK_FALSE(config.rto_sync);
  CHECK(config.arp == 4);
  CHECK(config.monitored.empty());
  CHECK(MonitoredInterface{}.weight == 255);
  CHECK(config.secondary_path.empty());
  CHECK(config.data_forwarding);
  CHECK(config.cluster.value == 0);
}

TEST_CASE("each setting can be set and returns to its default by unset") {
  struct Case {
    std::string_view set, unset;
  };
  Config config = configured({"set nsrp cluster id 1"});
  const Config before = config;
  for (const Case& c :
       {Case{"set hostname gw-a", "unset hostname"},
        Case{"set nsrp cluster name c1", "unset nsrp cluster name"},
        Case{"set arp always-on-dest", "unset arp always-on-dest"},
        Case{"set nsrp arp 9", "unset nsrp arp"},
        Case{"unset nsrp data-forwarding", "set nsrp data-forwarding"},
        Case{"set nsrp fast-path", "unset nsrp fast-path"},
        Case{"set nsrp max-sessions 5000", "unset nsrp max-sessions"},
        Case{"set nsrp rto-mirror sync", "unset nsrp rto-mirror sync"},
        Case{"set nsrp secondary-path eth2", "unset nsrp secondary-path"},
        Case{"set nsrp monitor interface eth1 weight 7", "unset nsrp monitor interface eth1"},
        Case{"set nsrp vsd-group id 5", "unset nsrp vsd-group id 5"},
        Case{"set nsrp vsd-group id 0 priority 7", "unset nsrp vsd-group id 0 priority"},
        Case{"set nsrp vsd-group id 0 preempt", "unset nsrp vsd-group id 0 preempt"},
        Case{"set nsrp vsd-group id 0 preempt hold-down 9", "unset nsrp vsd-group id 0 preempt hold-down"},
        Case{"set nsrp vsd-group id 0 defer", "unset nsrp vsd-group id 0 defer"},
        Case{"set nsrp vsd-group id 0 defer time 25", "unset nsrp vsd-group id 0 defer"},
        Case{"set nsrp vsd-group init-hold 9", "unset nsrp vsd-group init-hold"},
        Case{"set nsrp vsd-group hb-interval 200", "unset nsrp vsd-group hb-interval"},
        Case{"set nsrp rto-mirror hb-interval 8", "unset nsrp rto-mirror hb-interval"},
        Case{"set nsrp rto-mirror hb-threshold 3", "unset nsrp rto-mirror hb-threshold"},
        Case{"set nsrp rto-mirror session off", "unset nsrp rto-mirror session off"},
        Case{"set nsrp rto-mirror session clear-on-inactive", "unset nsrp rto-mirror session clear-on-inactive"},
        Case{"set nsrp rto-mirror session no-backup mark 0x10 mask 0xf0",
             "unset nsrp rto-mirror session no-backup mark"},
        Case{"set nsrp vsd-group hb-threshold 9", "unset nsrp vsd-group hb-threshold"},
        Case{"set nsrp vsd-group master-always-exist", "unset nsrp vsd-group master-always-exist"},
        Case{"set interface eth1 zone trust", "unset interface eth1 zone"}}) {
    CAPTURE(c.set);
    give(config, {c.set});
    CHECK(config != before);
    give(config, {c.unset});
    CHECK(config == before);
  }
}

TEST_CASE("a VSD group defers for ten milliseconds unless it is told otherwise") {
  Config config;
  CHECK(VsdGroup{}.defer == milliseconds(0));
  give(config, {"set nsrp vsd-group id 1 defer", "set nsrp vsd-group id 2 defer time 25"});
  CHECK(config.vsd_groups.at(VsdId{1}).defer == milliseconds(10));
  CHECK(config.vsd_groups.at(VsdId{2}).defer == milliseconds(25));
}

TEST_CASE("joining a cluster creates VSD group 0, and leaving it keeps the groups") {
  Config config = configured({"set nsrp cluster id 3"});
  CHECK(config.cluster.value == 3);
  REQUIRE(config.vsd_groups.size() == 1);
  CHECK(config.vsd_groups.at(VsdId{0}) == VsdGroup{.id = VsdId{0}});
  give(config, {"set nsrp vsd-group id 0 priority 7", "set nsrp cluster id 0"});
  CHECK(config.vsd_groups.at(VsdId{0}).priority == 7);
  give(config, {"set nsrp cluster id 1"});
  CHECK(config.vsd_groups.at(VsdId{0}).priority == 7);
  give(config, {"unset nsrp cluster id"});
  CHECK(config.cluster.value == 0);
}

TEST_CASE("changing from one cluster to another does not bring a removed VSD group 0 back") {
  Config config = configured({"set nsrp cluster id 1", "unset nsrp vsd-group id 0", "set nsrp cluster id 2"});
  CHECK(config.vsd_groups.empty());
}

TEST_CASE("a setting of a VSD group creates the group; hold-down does not enable preempt") {
  const Config config =
      configured({"set nsrp vsd-group id 1 priority 1", "set nsrp vsd-group id 2 preempt hold-down 10"});
  CHECK(config.vsd_groups.at(VsdId{1}).priority == 1);
  CHECK(config.vsd_groups.at(VsdId{2}).hold_down == seconds(10));
  CHECK_FALSE(config.vsd_groups.at(VsdId{2}).preempt);
}

TEST_CASE("removing what is not there is refused") {
  const Config config =
      configured({"set nsrp cluster id 1", "set interface eth1 zone trust", "set interface eth1 ip 10.1.1.1/24"});
  CHECK(refusal(config, "unset nsrp vsd-group id 4") == "VSD group 4 does not exist");
  CHECK(refusal(config, "unset nsrp vsd-group id 4 priority") == "VSD group 4 does not exist");
  CHECK(refusal(config, "unset nsrp monitor interface eth1") == "interface eth1 is not monitored");
  CHECK(refusal(config, "unset interface eth9 zone") == "interface eth9 is in no zone");
  CHECK(refusal(config, "unset interface eth1:1 ip") == "eth1:1 has no address");
  CHECK(refusal(config, "unset interface eth1 ip 10.1.1.1/25") == "eth1 has no address 10.1.1.1/25");
  CHECK(refusal(config, "unset interface eth1 manage-ip") == "eth1 has no manage IP");
  CHECK(refusal(config, "unset vrouter trust-vr route 0.0.0.0/0") ==
        "virtual router trust-vr has no route to 0.0.0.0/0");
}

TEST_CASE("a VSD group with VSIs is not removed, except group 0, whose interfaces become local") {
  Config config = configured({"set nsrp cluster id 1", "set nsrp vsd-group id 1", "set interface eth1 zone trust",
                              "set interface eth1 ip 10.1.1.1/24", "set interface eth1:1 ip 10.1.1.2/24"});
  CHECK(refusal(config, "unset nsrp vsd-group id 1") == "VSD group 1 is in use by VSI eth1:1; unset that first");
  CHECK(local_addresses_of(config, "eth1").empty());
  give(config, {"unset nsrp vsd-group id 0"});
  CHECK(local_addresses_of(config, "eth1") == std::vector{prefix("10.1.1.1/24")});
  give(config, {"unset interface eth1:1 ip", "unset nsrp vsd-group id 1"});
  CHECK(config.vsd_groups.empty());
}

TEST_CASE("a second IPv4 address replaces the first, IPv6 addresses add up") {
  Config config = configured({"set interface eth1 zone trust", "set interface eth1 ip 10.1.1.1/24",
                              "set interface eth1 ip 2001:db8::1/64", "set interface eth1 ip 2001:db8:1::1/64"});
  const auto addresses = [&] { return config.interfaces.at("eth1").addresses.at(VsdId{0}); };
  CHECK(addresses() == std::vector{prefix("10.1.1.1/24"), prefix("2001:db8::1/64"), prefix("2001:db8:1::1/64")});
  give(config, {"set interface eth1 ip 10.2.2.2/16", "set interface eth1 ip 2001:db8::1/48"});
  CHECK(addresses() == std::vector{prefix("10.2.2.2/16"), prefix("2001:db8::1/48"), prefix("2001:db8:1::1/64")});
  give(config, {"unset interface eth1 ip 2001:db8::1/48"});
  CHECK(addresses() == std::vector{prefix("10.2.2.2/16"), prefix("2001:db8:1::1/64")});
  give(config, {"unset interface eth1 ip", "unset interface eth1 zone"});
  CHECK(config == Config{});
}

TEST_CASE("an interface has a manage IP for each IP version") {
  Config config = configured({"set interface eth1 zone trust", "set interface eth1 ip 10.1.1.1/24",
                              "set interface eth1 ip 2001:db8::1/64", "set interface eth1 manage-ip 2001:db8::21",
                              "set interface eth1 manage-ip 10.1.1.21", "set interface eth1 manage-ip 10.1.1.22"});
  const auto manage_ips = [&] { return config.interfaces.at("eth1").manage_ips; };
  CHECK(manage_ips() == std::vector{address("10.1.1.22"), address("2001:db8::21")});
  CHECK(manage_prefix(config.interfaces.at("eth1"), address("10.1.1.22")) == prefix("10.1.1.22/24"));
  CHECK(manage_prefix(config.interfaces.at("eth1"), address("10.1.2.22")) == std::nullopt);
  give(config, {"unset interface eth1 manage-ip 10.1.1.22"});
  CHECK(manage_ips() == std::vector{address("2001:db8::21")});
  give(config, {"unset interface eth1 manage-ip"});
  CHECK(manage_ips().empty());
}

TEST_CASE("the predefined zones are known in either case of letters, others are case-sensitive") {
  Config config =
      configured({"set interface eth7 zone HA", "set interface eth1 zone Trust", "set interface eth2 zone trust",
                  "set interface eth3 zone dmz", "set interface eth3 zone Null"});
  CHECK(config.interfaces.at("eth7").is_ha());
  CHECK(config.interfaces.at("eth1").zone == "Trust");
  CHECK(config.interfaces.at("eth2").zone == "trust");
  CHECK_FALSE(config.interfaces.contains("eth3"));
}

TEST_CASE("a route is known by virtual router, destination and VSI") {
  Config config = configured({"set nsrp cluster id 1", "set nsrp vsd-group id 1", "set interface eth1 zone untrust",
                              "set interface eth1 ip 210.1.1.1/24", "set interface eth1:1 ip 210.1.1.2/24",
                              "set vrouter trust-vr route 0.0.0.0/0 interface eth1 gateway 210.1.1.250",
                              "set vrouter trust-vr route 0.0.0.0/0 interface eth1:1 gateway 210.1.1.250 metric 5",
                              "set vrouter trust-vr route 10.0.0.0/8 interface eth1 metric 20"});
  REQUIRE(config.routes.size() == 3);
  CHECK(config.routes[1].vsd == VsdId{1});
  CHECK(config.routes[1].gateway == address("210.1.1.250"));
  CHECK(config.routes[1].metric == 5U);
  give(config, {"set vrouter trust-vr route 0.0.0.0/0 interface eth1:1 gateway 210.1.1.251"});
  REQUIRE(config.routes.size() == 3);
  CHECK(config.routes[1].gateway == address("210.1.1.251"));
  CHECK_FALSE(config.routes[1].metric.has_value());
  give(config, {"unset vrouter trust-vr route 0.0.0.0/0 interface eth1"});
  CHECK(config.routes.size() == 2);
  give(config, {"unset vrouter trust-vr route 0.0.0.0/0", "unset vrouter trust-vr route 10.0.0.0/8"});
  CHECK(config.routes.empty());
}

TEST_CASE("unset all returns everything to the defaults") {
  Config config = configured({"set nsrp cluster id 1", "set interface eth1 zone trust", "set nsrp arp 5"});
  give(config, {"unset all"});
  CHECK(config == Config{});
}

TEST_CASE("commands that are not about the configuration cannot be applied to it") {
  CHECK(refusal(Config{}, "get nsrp") == "\"get nsrp\" does not change the configuration");
}
