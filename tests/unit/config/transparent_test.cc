// SPDX-License-Identifier: Apache-2.0
// Transparent mode: interfaces in the zones of layer 2.
#include "builders.h"

using namespace nsrp;
using namespace nsrp::config;
using namespace nsrp::config::test;

namespace {

// Cluster 1 with two ports, a routed interface and an HA link.
Config bridge_member() {
  return configured({"set nsrp cluster id 1", "set interface eth1 zone v1-trust", "set interface eth2 zone v1-untrust",
                     "set interface eth3 zone trust", "set interface ha1 zone ha"});
}

}  // namespace

TEST_CASE("the zones of layer 2 are known in either case of letters, and no other name begins like them") {
  const Config config = configured({"set interface eth1 zone V1-Trust", "set interface eth2 zone v1-UNTRUST",
                                    "set interface eth3 zone v1-dmz", "set interface eth4 zone v1"});
  CHECK(config.interfaces.at("eth1").zone == "v1-trust");
  for (const char* name : {"eth1", "eth2", "eth3"}) {
    CHECK(config.interfaces.at(name).is_transparent());
    CHECK_FALSE(config.interfaces.at(name).is_security());
  }
  CHECK(config.interfaces.at("eth4").is_security());
  CHECK(refusal(config, "set interface eth1 zone v1-trusted") ==
        "\"v1-trusted\" is no zone of transparent mode; allowed: v1-trust, v1-untrust or v1-dmz");
  CHECK(refusal(config, "set interface eth1 zone V1-null").starts_with("\"V1-null\" is no zone"));
}

TEST_CASE("a configuration with ports reads back as it was printed, and members agree on it") {
  const Config config = bridge_member();
  const std::string text = print(config, Secrets::kWritten);
  CHECK(text.find("set interface eth2 zone v1-untrust\n") != std::string::npos);
  CHECK(load(text, "nsrp.conf").value() == config);
  Config other = config;
  give(other, {"set interface eth2 zone v1-dmz"});
  CHECK(checksum(other) != checksum(config));
  CHECK(propagates(config, parse_line("set interface eth2 zone v1-dmz").value()));
}

TEST_CASE("a port has no address, no VSI, no manage IP and no route") {
  const Config config = bridge_member();
  const std::string why =
      ": ports of the transparent device have no addresses; those belong to interfaces in security zones";
  CHECK(refusal(config, "set interface eth1 ip 10.1.1.1/24") ==
        "eth1 is in zone v1-trust and so cannot have 10.1.1.1/24" + why);
  CHECK(refusal(config, "set interface eth2:1 ip 10.1.1.1/24") ==
        "eth2 is in zone v1-untrust and so cannot have 10.1.1.1/24" + why);
  CHECK(refusal(config, "set interface eth1 manage-ip 10.1.1.1") ==
        "eth1 is in zone v1-trust and so cannot have manage IP 10.1.1.1" + why);
  Config routed = config;
  give(routed, {"set interface eth3 ip 10.3.0.1/24"});
  CHECK(refusal(routed, "set interface eth3 zone v1-dmz") ==
        "eth3 is in zone v1-dmz and so cannot have 10.3.0.1/24" + why);
  CHECK(refusal(routed, "set vrouter trust-vr route 10.9.0.0/16 interface eth1") ==
        "the route to 10.9.0.0/16 through eth1 cannot work: eth1 is a port of the transparent device");
  CHECK(vsis_of(config).empty());
}

TEST_CASE("transparent mode is active/passive only, whichever of the two is said first") {
  CHECK(refusal(bridge_member(), "set nsrp vsd-group id 1") ==
        "VSD group 1 cannot be beside eth1 in zone v1-trust: transparent mode is active/passive only; allowed: VSD "
        "group 0");
  const Config active_active = configured({"set nsrp cluster id 1", "set nsrp vsd-group id 7"});
  CHECK(refusal(active_active, "set interface eth2 zone v1-dmz") ==
        "VSD group 7 cannot be beside eth2 in zone v1-dmz: transparent mode is active/passive only; allowed: VSD "
        "group 0");
  const Result<Config> loaded =
      load("set nsrp cluster id 1\nset nsrp vsd-group id 7\nset interface eth2 zone v1-dmz\n", "nsrp.conf");
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().message.starts_with("nsrp.conf:3: VSD group 7 cannot be beside eth2"));
}

TEST_CASE("nothing of the cluster depends on a port, which is closed on a backup") {
  const Config config = bridge_member();
  const std::string why =
      ": a port of the transparent device is closed on a backup; name an interface in a security zone";
  CHECK(refusal(config, "set nsrp interface eth1") ==
        "\"eth1\" is in zone v1-trust and so cannot carry control messages" + why);
  CHECK(refusal(config, "set nsrp secondary-path eth2") ==
        "\"eth2\" is in zone v1-untrust and so cannot be the secondary path" + why);
  Config with_paths = config;
  give(with_paths, {"set nsrp secondary-path eth3", "set nsrp monitor interface eth1"});
  CHECK(refusal(with_paths, "set interface eth3 zone v1-dmz").starts_with("\"eth3\" is in zone v1-dmz"));
}

TEST_CASE("the bridge itself is in no zone") {
  CHECK(refusal(bridge_member(), "set interface nsrpv1 zone trust") ==
        "\"nsrpv1\" is the transparent device itself and so can be in no zone; allowed: the interfaces that are to be "
        "its ports");
}
