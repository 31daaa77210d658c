// SPDX-License-Identifier: Apache-2.0
#include "builders.h"

using namespace nsrp;
using namespace nsrp::config;
using namespace nsrp::config::test;

namespace {

// Cluster 1 with VSD groups 0 and 1, eth3 in zone trust.
Config pair_member() {
  return configured({"set nsrp cluster id 1", "set nsrp vsd-group id 1", "set interface eth3 zone trust",
                     "set interface eth3 ip 10.1.1.1/24", "set interface eth3:1 ip 10.1.1.2/24",
                     "set interface eth3 manage-ip 10.1.1.21"});
}

}  // namespace

TEST_CASE("an interface needs a security zone before it takes an address") {
  CHECK(refusal(Config{}, "set interface eth1 ip 10.1.1.1/24") ==
        "eth1 is in no security zone and so cannot have 10.1.1.1/24; bind it first: set interface eth1 zone ...");
  CHECK(refusal(pair_member(), "unset interface eth3 zone") ==
        "eth3 is in no security zone and so cannot have 10.1.1.1/24; bind it first: set interface eth3 zone ...");
}

TEST_CASE("an HA interface takes no address, and an interface with one does not become an HA interface") {
  Config config = configured({"set interface ha1 zone ha"});
  CHECK(refusal(config, "set interface ha1 ip 10.1.1.1/24") ==
        "HA interfaces need no address: ha1 is in zone ha and has 10.1.1.1/24");
  CHECK(refusal(config, "set interface ha1 manage-ip 10.1.1.1") ==
        "HA interfaces need no address: ha1 is in zone ha and has manage IP 10.1.1.1");
  CHECK(refusal(pair_member(), "set interface eth3 zone ha") ==
        "HA interfaces need no address: eth3 is in zone ha and has 10.1.1.1/24");
}

TEST_CASE("a VSI needs its VSD group and a security zone") {
  CHECK(refusal(pair_member(), "set interface eth3:2 ip 10.1.1.3/24") ==
        "VSI eth3:2 needs VSD group 2, which does not exist");
  CHECK(refusal(pair_member(), "set interface eth4:1 ip 10.1.2.3/24") ==
        "eth4 is in no security zone and so cannot have 10.1.2.3/24; bind it first: set interface eth4 zone ...");
}

TEST_CASE("a manage IP lies in the subnet of its interface's address") {
  const Config config = pair_member();
  CHECK(refusal(config, "set interface eth3 manage-ip 10.1.2.21") ==
        "manage IP 10.1.2.21 is in no subnet of an address of eth3");
  CHECK(refusal(config, "set interface eth3 manage-ip 2001:db8::21") ==
        "manage IP 2001:db8::21 is in no subnet of an address of eth3");
  CHECK(refusal(config, "set interface eth3 ip 10.9.9.1/24") ==
        "manage IP 10.1.1.21 is in no subnet of an address of eth3");
  CHECK(refusal(config, "unset interface eth3 ip") == "manage IP 10.1.1.21 is in no subnet of an address of eth3");
  CHECK(refusal(config, "set interface eth3 manage-ip 10.1.1.255") ==
        "manage IP \"10.1.1.255/24\" is the broadcast address of its subnet");
}

TEST_CASE("no address is given twice, and the refusal names both holders") {
  Config config = pair_member();
  give(config, {"set interface eth1 zone untrust"});
  CHECK(refusal(config, "set interface eth1 ip 10.1.1.1/24") ==
        "10.1.1.1 cannot be both the address of eth1 and the address of eth3");
  CHECK(refusal(config, "set interface eth1 ip 10.1.1.1/30") ==
        "10.1.1.1 cannot be both the address of eth1 and the address of eth3");
  CHECK(refusal(config, "set interface eth3:1 ip 10.1.1.1/24") ==
        "10.1.1.1 cannot be both the address of eth3 and the address of eth3:1");
  CHECK(refusal(config, "set interface eth3 manage-ip 10.1.1.2") ==
        "10.1.1.2 cannot be both the address of eth3:1 and the manage IP of eth3");
  CHECK(refusal(config, "set interface eth3 manage-ip 10.1.1.1") ==
        "10.1.1.1 cannot be both the address of eth3 and the manage IP of eth3");
}

TEST_CASE("a link-local address may be used on several interfaces, once on each") {
  Config config = pair_member();
  give(config,
       {"set interface eth1 zone untrust", "set interface eth1 ip fe80::1/64", "set interface eth3 ip fe80::1/64"});
  CHECK(refusal(config, "set interface eth3:1 ip fe80::1/64") ==
        "fe80::1 cannot be both the address of eth3 and the address of eth3:1");
}

TEST_CASE("a route leaves through a VSI that exists, to a gateway in its subnet") {
  const Config config = pair_member();
  const std::string begin = "the route to 0.0.0.0/0 through ";
  CHECK(refusal(config, "set vrouter trust-vr route 0.0.0.0/0 interface eth9 gateway 10.1.1.250") ==
        begin + "eth9 cannot work: eth9 is not configured");
  CHECK(refusal(config, "set vrouter trust-vr route 0.0.0.0/0 interface eth3:2 gateway 10.1.1.250") ==
        begin + "eth3:2 cannot work: eth3:2 has no address");
  CHECK(refusal(config, "set vrouter trust-vr route 0.0.0.0/0 interface eth3 gateway 10.1.9.250") ==
        begin + "eth3 cannot work: gateway 10.1.9.250 is in no subnet of an address of eth3");
  CHECK(refusal(config, "set vrouter trust-vr route 0.0.0.0/0 interface eth3 gateway 2001:db8::1") ==
        begin + "eth3 cannot work: gateway 2001:db8::1 is of the other IP version");
  Config with_ha = config;
  give(with_ha, {"set interface ha1 zone ha"});
  CHECK(refusal(with_ha, "set vrouter trust-vr route 0.0.0.0/0 interface ha1") ==
        begin + "ha1 cannot work: ha1 is in no security zone");
}

TEST_CASE("an IPv6 gateway may be link-local") {
  Config config = pair_member();
  give(config,
       {"set interface eth3 ip 2001:db8::1/64", "set vrouter trust-vr route ::/0 interface eth3 gateway fe80::9"});
  CHECK(config.routes.size() == 1);
}

TEST_CASE("what a route needs is not taken away under it") {
  Config config = pair_member();
  give(config,
       {"unset interface eth3 manage-ip", "set vrouter trust-vr route 0.0.0.0/0 interface eth3 gateway 10.1.1.250"});
  CHECK(refusal(config, "unset interface eth3 ip") ==
        "the route to 0.0.0.0/0 through eth3 cannot work: eth3 has no address");
  CHECK(refusal(config, "set interface eth3 ip 10.9.9.1/24") ==
        "the route to 0.0.0.0/0 through eth3 cannot work: gateway 10.1.1.250 is in no subnet of an address of eth3");
}

TEST_CASE("there are no more VSIs than VIDs to name them") {
  Config config = configured({"set nsrp cluster id 1"});
  for (int i = 0; i < 4095; ++i) {
    Interface interface;
    interface.name = "i" + std::to_string(i);
    interface.zone = "trust";
    const std::string text = "10." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ".1/24";
    interface.addresses[VsdId{0}] = {prefix(text)};
    config.interfaces[interface.name] = interface;
  }
  CHECK(validate(config).error().message == "more than 4094 interfaces and VSIs");
  CHECK(vsis_of(config).size() == 4094);
  config.interfaces.erase("i7");
  CHECK(validate(config).has_value());
}
