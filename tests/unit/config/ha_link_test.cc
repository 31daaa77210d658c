// SPDX-License-Identifier: Apache-2.0
// Probes of HA links, and interfaces in security zones that carry messages of the cluster (manual ch. 1).
#include "builders.h"

using namespace nsrp;
using namespace nsrp::config;
using namespace nsrp::config::test;

TEST_CASE("HA links are probed when told so, every 15 seconds and to the fifth unanswered probe by default") {
  CHECK_FALSE(Config{}.ha_link_probe);
  CHECK(configured({"set nsrp ha-link probe"}).ha_link_probe == HaLinkProbe{15, 5});
  CHECK(configured({"set nsrp ha-link probe interval 3 threshold 4"}).ha_link_probe == HaLinkProbe{3, 4});
  CHECK(configured({"set nsrp ha-link probe threshold 4"}).ha_link_probe == HaLinkProbe{15, 4});
}

TEST_CASE("interval and threshold of probes change one without the other, and return to their defaults") {
  Config config = configured({"set nsrp ha-link probe interval 3", "set nsrp ha-link probe threshold 4"});
  CHECK(config.ha_link_probe == HaLinkProbe{3, 4});
  CHECK(print(config, Secrets::kWritten) == "set nsrp ha-link probe interval 3 threshold 4\n");
  give(config, {"unset nsrp ha-link probe interval"});
  CHECK(config.ha_link_probe == HaLinkProbe{15, 4});
  give(config, {"unset nsrp ha-link probe threshold"});
  CHECK(print(config, Secrets::kWritten) == "set nsrp ha-link probe\n");
  give(config, {"unset nsrp ha-link probe"});
  CHECK(config == Config{});
  CHECK(refusal(config, "unset nsrp ha-link probe interval") ==
        "HA links are not probed; use \"set nsrp ha-link probe\" first");
  CHECK(refusal(config, "set nsrp ha-link probe interval 0") ==
        "\"0\" is out of range for probe interval in seconds; allowed: 1-255 (default 15)");
}

TEST_CASE("a probe by hand names an interface, and may name a MAC address and a count") {
  const Command all = parse_line("exec nsrp probe eth8 00E0020000a8 count 7").value();
  CHECK(all.id == CommandId::kExecProbe);
  CHECK(argument(all, "interface") == "eth8");
  CHECK(argument(all, "mac") == "00:e0:02:00:00:a8");
  CHECK(argument(all, "probe-count") == "7");
  const Command few = parse_line("exec nsrp probe eth8 count 7").value();
  CHECK_FALSE(argument(few, "mac").has_value());
  CHECK(argument(few, "probe-count") == "7");
  CHECK_FALSE(argument(parse_line("exec nsrp probe eth8").value(), "probe-count").has_value());
  // The manual's own misprint: eleven digits.
  CHECK(parse_error("exec nsrp probe eth8 00e02000080 count 5").find("00e02000080") != std::string::npos);
  CHECK(parse_error("exec nsrp probe eth8 ff:ff:ff:ff:ff:ff") ==
        "\"ff:ff:ff:ff:ff:ff\" is not the MAC address of one device");
  CHECK(parse_error("exec nsrp probe eth8 count 256") ==
        "\"256\" is out of range for number of probes; allowed: 1-255 (default 5)");
}

TEST_CASE("the control interface is one in a security zone") {
  const Config config =
      configured({"set interface eth1 zone trust", "set interface eth2 zone dmz", "set interface ha1 zone ha"});
  Config changed = config;
  give(changed, {"set nsrp interface eth1"});
  CHECK(changed.control_interface == "eth1");
  CHECK(load(print(changed, Secrets::kWritten), "file").value() == changed);
  CHECK(refusal(changed, "unset interface eth1 zone") ==
        "\"eth1\" is in no security zone and so cannot carry control messages; bind it first: set interface eth1 zone "
        "...");
  CHECK(refusal(changed, "set interface eth1 zone ha").starts_with("\"eth1\" is in zone ha"));
  CHECK(refusal(config, "set nsrp interface ha1") ==
        "\"ha1\" is in zone ha and so carries control messages anyway; \"set nsrp interface\" takes an interface in a "
        "security zone");
  CHECK(refusal(config, "set nsrp interface eth9").starts_with("\"eth9\" is in no security zone"));
  give(changed, {"unset nsrp interface"});
  CHECK(changed == config);
}

TEST_CASE("control interface and secondary path are two interfaces") {
  const Config config = configured({"set interface eth1 zone trust", "set interface eth2 zone dmz",
                                    "set interface ha1 zone ha", "set nsrp interface eth1"});
  CHECK(refusal(config, "set nsrp secondary-path eth1") ==
        "\"eth1\" cannot be both the control interface and the secondary path: they would fail together");
  CHECK(refusal(config, "set nsrp secondary-path ha1").starts_with("\"ha1\" is in zone ha"));
  Config changed = config;
  give(changed, {"set nsrp secondary-path eth2"});
  CHECK(refusal(changed, "set nsrp interface eth2").starts_with("\"eth2\" cannot be both"));
  const Result<Config> loaded =
      load("set interface eth1 zone trust\nset nsrp secondary-path eth1\nset nsrp interface eth1\n", "nsrp.conf");
  REQUIRE_FALSE(loaded.has_value());
  CHECK(loaded.error().message.starts_with("nsrp.conf:3: \"eth1\" cannot be both"));
}
