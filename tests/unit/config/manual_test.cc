// SPDX-License-Identifier: Apache-2.0
// The command lists of the manual's examples (ch. 1), with Linux interface names and without the commands of features
// that belong to other chapters.
#include "builders.h"

using namespace nsrp;
using namespace nsrp::config;
using namespace nsrp::config::test;

namespace {

void active_passive(Config& config, std::string_view manage_command) {
  give(config, {"set interface eth7 zone ha", "set interface eth8 zone ha", "set interface eth1 zone untrust",
                "set interface eth1 ip 210.1.1.1/24", "set interface eth3 zone trust",
                "set interface eth3 ip 10.1.1.1/24", manage_command, "set nsrp rto-mirror sync",
                "set nsrp monitor interface eth1", "set nsrp monitor interface eth3", "set nsrp cluster id 1"});
  CHECK(parse_line("save").value().id == CommandId::kSave);
}

std::vector<std::string> names_of(const std::vector<Vsi>& vsis) {
  std::vector<std::string> names;
  for (const Vsi& vsi : vsis) names.push_back(vsi.name());
  return names;
}

}  // namespace

TEST_CASE("Configuring an Active/Passive NSRP Cluster") {
  Config a, b;
  active_passive(a, "set interface eth3 manage-ip 10.1.1.20");
  active_passive(b, "set interface eth3 manage-ip 10.1.1.21");

  CHECK(ha_interfaces_of(a) == std::vector<std::string>{"eth7", "eth8"});
  CHECK(names_of(vsis_of(a)) == std::vector<std::string>{"eth1", "eth3"});
  CHECK(vsis_of(a)[0].addresses == std::vector{prefix("210.1.1.1/24")});
  CHECK(vsis_of(a) == vsis_of(b));
  CHECK(a.vsd_groups.at(VsdId{0}).priority == 100);
  CHECK(a.monitored == std::vector<MonitoredInterface>{{"eth1", 255}, {"eth3", 255}});
  CHECK(a.rto_sync);

  CHECK(a != b);                      // the manage IPs differ,
  CHECK(checksum(a) == checksum(b));  // and are no part of what the members share
}

TEST_CASE("Creating an NSRP Cluster") {
  const Config config = configured({"set nsrp cluster id 1", "set nsrp cluster name cluster1",
                                    "set nsrp monitor interface eth1", "set nsrp monitor interface eth2",
                                    "set nsrp secondary-path eth2", "set nsrp arp 5", "set arp always-on-dest"});
  CHECK(config.cluster_name == "cluster1");
  CHECK(config.secondary_path == "eth2");
  CHECK(config.arp == 5);
  CHECK(config.arp_always_on_dest);
  CHECK(config.arp_always_on_dest);
}

TEST_CASE("Creating Two VSD Groups, and their VSIs and static routes") {
  Config a, b;
  active_passive(a, "set interface eth3 manage-ip 10.1.1.21");
  active_passive(b, "set interface eth3 manage-ip 10.1.1.22");
  give(a, {"set nsrp vsd-group id 0 priority 1", "set nsrp vsd-group id 0 preempt hold-down 10",
           "set nsrp vsd-group id 0 preempt", "set nsrp vsd-group id 1"});
  give(b, {"set nsrp vsd-group id 1 priority 1", "set nsrp vsd-group id 1 preempt hold-down 10",
           "set nsrp vsd-group id 1 preempt"});
  for (Config* config : {&a, &b}) {
    give(*config, {"set interface eth1:1 ip 210.1.1.2/24", "set interface eth3:1 ip 10.1.1.2/24",
                   "set vrouter trust-vr route 0.0.0.0/0 interface eth1 gateway 210.1.1.250",
                   "set vrouter trust-vr route 0.0.0.0/0 interface eth1:1 gateway 210.1.1.250"});
  }
  CHECK(a.vsd_groups.at(VsdId{0}) == VsdGroup{VsdId{0}, 1, true, seconds(10)});
  CHECK(a.vsd_groups.at(VsdId{1}) == VsdGroup{.id = VsdId{1}});
  CHECK(b.vsd_groups.at(VsdId{1}) == VsdGroup{VsdId{1}, 1, true, seconds(10)});
  CHECK(names_of(vsis_of(a)) == std::vector<std::string>{"eth1", "eth1:1", "eth3", "eth3:1"});
  CHECK(vsis_of(a) == vsis_of(b));
  CHECK(checksum(a) == checksum(b));
  CHECK(a.routes == b.routes);

  // The example's own misprint.
  CHECK(refusal(a, "set interface eth3:1 ip 10.1.1.1.2/24") == "\"10.1.1.1.2\" is not an IPv4 or IPv6 address");
}

TEST_CASE("a cluster without VSD group 0 has local interfaces and VSIs of the groups it creates") {
  const Config config = configured({"set nsrp cluster id 1", "unset nsrp vsd-group id 0", "set nsrp vsd-group id 1",
                                    "set nsrp vsd-group id 1 priority 1", "set interface eth1 zone untrust",
                                    "set interface eth1 ip 210.1.1.1/24", "set interface eth1:1 ip 210.1.1.2/24"});
  CHECK(names_of(vsis_of(config)) == std::vector<std::string>{"eth1:1"});
  CHECK(local_addresses_of(config, "eth1") == std::vector{prefix("210.1.1.1/24")});
}
