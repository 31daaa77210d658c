// SPDX-License-Identifier: Apache-2.0
#include "builders.h"

using namespace nsrp;
using namespace nsrp::config;
using namespace nsrp::config::test;

namespace {

std::string load_error(std::string_view text) {
  const Result<Config> config = load(text, "nsrp.conf");
  return config ? "(accepted)" : config.error().message;
}

}  // namespace

TEST_CASE("a file may have comments, empty lines, indentation and the line ends of other systems") {
  const Config config = load(
                            "# gateway A\r\n"
                            "\r\n"
                            "  set nsrp cluster id 1\r\n"
                            "\t# set nsrp arp 9\n"
                            "set nsrp arp 5",
                            "nsrp.conf")
                            .value();
  CHECK(config.cluster.value == 1);
  CHECK(config.arp == 5);
  CHECK(load("", "nsrp.conf").value() == Config{});
}

TEST_CASE("a file may name things before it creates them") {
  const Config config = load(
                            "set vrouter trust-vr route 0.0.0.0/0 interface eth1:1 gateway 210.1.1.250\n"
                            "set interface eth1 manage-ip 210.1.1.20\n"
                            "set interface eth1:1 ip 210.1.1.2/24\n"
                            "set interface eth1 ip 210.1.1.1/24\n"
                            "set interface eth1 zone untrust\n"
                            "set nsrp vsd-group id 1 priority 50\n"
                            "set nsrp cluster id 1\n"
                            "set nsrp vsd-group id 0 priority 7\n",
                            "nsrp.conf")
                            .value();
  CHECK(vsis_of(config).size() == 2);
  CHECK(config.vsd_groups.at(VsdId{0}).priority == 7);
}

TEST_CASE("an error in a file names the file, the line and the word") {
  CHECK(load_error("set nsrp cluster id 1\n\nset nsrp foo\n") ==
        "nsrp.conf:3: unknown keyword \"foo\" after \"set nsrp\"; allowed: arp, auth, cluster, data-forwarding, "
        "encrypt, fast-path, ha-link, interface, max-sessions, monitor, rto-mirror, secondary-path, vsd-group");
  CHECK(load_error("set nsrp arp 17\n") ==
        "nsrp.conf:1: \"17\" is out of range for number of announcements; allowed: 1-16 (default 4)");
  CHECK(load_error("\nset nsrp cluster name \"x\n") == "nsrp.conf:2: the quote in column 23 is never closed");
  CHECK(load_error("unset nsrp vsd-group id 3") == "nsrp.conf:1: VSD group 3 does not exist");
  CHECK(load_error("set hostname \xff\n") == "nsrp.conf:1: text must be UTF-8");
}

TEST_CASE("only set and unset commands stand in a file") {
  CHECK(load_error("set nsrp cluster id 1\nsave\n") ==
        "nsrp.conf:2: \"save\" cannot stand in a configuration; allowed: set and unset");
  CHECK(load_error("unset all\n") ==
        "nsrp.conf:1: \"unset all\" cannot stand in a configuration; allowed: set and unset");
}

TEST_CASE("a contradiction is reported at the last of the lines that make it") {
  CHECK(load_error("set interface eth1 zone trust\n"
                   "set interface eth1 manage-ip 10.1.2.20\n"
                   "set interface eth1 ip 10.1.1.1/24\n") ==
        "nsrp.conf:2: manage IP 10.1.2.20 is in no subnet of an address of eth1");
  CHECK(load_error("set interface eth2 zone trust\n"
                   "set interface eth2 ip 10.1.1.1/24\n"
                   "set interface eth1 zone dmz\n"
                   "set interface eth1 ip 10.1.1.1/16\n"
                   "set nsrp arp 5\n") ==
        "nsrp.conf:4: 10.1.1.1 cannot be both the address of eth1 and the address of eth2");
  CHECK(load_error("set interface ha1 ip 10.1.1.1/24\n"
                   "set interface ha1 zone ha\n"
                   "set nsrp arp 5\n") ==
        "nsrp.conf:2: HA interfaces need no address: ha1 is in zone ha and has 10.1.1.1/24");
  CHECK(load_error("set interface eth1 zone trust\n"
                   "set int eth1:3 ip 2001:DB8:0::1/64\n"
                   "set nsrp cluster id 1\n") == "nsrp.conf:2: VSI eth1:3 needs VSD group 3, which does not exist");
  CHECK(load_error("set interface eth1 zone trust\n"
                   "set interface eth1 ip 10.1.1.1/24\n"
                   "set vrouter \"my  vr\" route 0.0.0.0/0 interface eth1 gateway 10.2.2.2 metric 5\n"
                   "set nsrp arp 5\n") ==
        "nsrp.conf:3: the route to 0.0.0.0/0 through eth1 cannot work: gateway 10.2.2.2 is in no subnet of an address "
        "of eth1");
}

TEST_CASE("a value that a later line replaces is not held against the file") {
  CHECK(load("set interface eth1 zone trust\n"
             "set interface eth2 zone trust\n"
             "set interface eth1 ip 10.1.1.1/24\n"
             "set interface eth2 ip 10.1.1.1/24\n"
             "set interface eth2 ip 10.1.2.1/24\n",
             "nsrp.conf")
            .has_value());
}
