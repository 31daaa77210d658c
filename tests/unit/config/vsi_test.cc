// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "builders.h"

using namespace nsrp;
using namespace nsrp::config;
using namespace nsrp::config::test;

namespace {

Config one_vsi(std::string_view cluster = "1") {
  return configured({"set nsrp cluster id " + std::string(cluster), "set interface eth1 zone trust",
                     "set interface eth1 ip 10.1.1.1/24"});
}

}  // namespace

TEST_CASE("interfaces are ordered by text, then number") {
  CHECK(interface_name_less("eth2", "eth10"));
  CHECK_FALSE(interface_name_less("eth10", "eth2"));
  CHECK(interface_name_less("eth10", "ha1"));
  CHECK(interface_name_less("eth1", "eth1.5"));
  CHECK(interface_name_less("eth1.5", "eth1.10"));
  CHECK_FALSE(interface_name_less("eth1", "eth1"));
  CHECK(interface_name_less("eth01", "eth1") != interface_name_less("eth1", "eth01"));
  CHECK(interface_name_less("a0", "a00") != interface_name_less("a00", "a0"));
  CHECK(interface_name_less("eth", "eth0"));
}

TEST_CASE("of more than three HA interfaces the first three count") {
  const Config config = configured({"set interface eth10 zone ha", "set interface eth9 zone ha",
                                    "set interface ha1 zone ha", "set interface eth2 zone ha"});
  CHECK(ha_interfaces_of(config) == std::vector<std::string>{"eth2", "eth9", "eth10"});
}

TEST_CASE("VIDs and virtual MACs keep their values from release to release") {
  // 1 + FNV-1a-32("eth1:0") mod 4094; members of different releases must agree.
  const Vsi vsi = vsis_of(one_vsi()).at(0);
  CHECK(vsi.vid.value == 3806);
  CHECK(to_string(vsi.vmac) == "02:4e:53:1e:de:00");
}

TEST_CASE("the virtual MAC is locally administered, and differs by cluster, interface and VSD") {
  std::set<MacAddress> macs;
  size_t count = 0;
  for (std::string_view cluster : {"1", "2", "7"}) {
    Config config = one_vsi(cluster);
    give(config, {"set nsrp vsd-group id 63", "set interface eth1:63 ip 10.1.1.2/24", "set interface eth2 zone trust",
                  "set interface eth2 ip 10.1.2.1/24"});
    for (const Vsi& vsi : vsis_of(config)) {
      CHECK((vsi.vmac.bytes[0] & 0x03) == 0x02);
      CHECK(vsi.vid.value >= 1);
      CHECK(vsi.vid.value <= 4094);
      macs.insert(vsi.vmac);
      ++count;
    }
  }
  CHECK(count == 9);
  CHECK(macs.size() == count);
}

TEST_CASE("VSIs with the same hash get different VIDs, the same ones whatever was configured first") {
  Config config = configured({"set nsrp cluster id 1"});
  std::set<uint16_t> vids;
  for (int i = 0; i < 600; ++i) {  // birthday: some 40 of 600 collide in 4094
    const std::string name = "e" + std::to_string((i * 7) % 600);
    Interface interface;
    interface.name = name;
    interface.zone = "trust";
    interface.addresses[VsdId{0}] = {prefix("2001:db8:" + std::to_string(i) + "::1/64")};
    config.interfaces[name] = interface;
  }
  const std::vector<Vsi> vsis = vsis_of(config);
  for (const Vsi& vsi : vsis) vids.insert(vsi.vid.value);
  CHECK(vsis.size() == 600);
  CHECK(vids.size() == 600);
}

TEST_CASE("there are VSIs only in a cluster, of groups that exist, in security zones") {
  Config config = one_vsi();
  CHECK(vsis_of(config).size() == 1);
  give(config, {"set interface eth2 zone trust", "set interface ha1 zone ha"});
  CHECK(vsis_of(config).size() == 1);
  Config in_no_zone = config;
  in_no_zone.interfaces["eth1"].zone.clear();
  CHECK(vsis_of(in_no_zone).empty());
  give(config, {"set nsrp cluster id 0"});
  CHECK(vsis_of(config).empty());
  CHECK(local_addresses_of(config, "eth1") == std::vector{prefix("10.1.1.1/24")});
  CHECK(local_addresses_of(config, "eth9").empty());
}
