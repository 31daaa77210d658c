// SPDX-License-Identifier: Apache-2.0
// Programs on real interfaces.
#include <doctest/doctest.h>
#include <linux/if_link.h>
#include <net/if.h>

#include "namespaces.h"
#include "test_box.h"

using namespace nsrp;
using namespace nsrp::test;
using kernel::Datapath;
using kernel::XdpMode;

namespace {

struct Host {
  Namespace host, far;
  std::string bpf_dir = unique_bpf_dir();
  std::unique_ptr<Datapath> datapath;

  Host() {
    connect(host, "eth1", far, "far1");
    datapath = open();
  }
  ~Host() {
    host.in([&] { datapath->remove(); });
  }
  std::unique_ptr<Datapath> open() const {
    return host.in([&] {
      auto opened = Datapath::open({.bpf_dir = bpf_dir, .max_sessions = 1024});
      REQUIRE(opened.has_value());
      return std::move(*opened);
    });
  }
  Result<XdpMode> attach_traffic(const std::string& name = "eth1") const {
    return host.in([&] { return datapath->attach_traffic(host.ifindex(name)); });
  }
  std::vector<IfIndex> attached() const {
    return host.in([&] { return datapath->attached(); });
  }
  std::string tc(const std::string& what) const {
    return host.in([&] { return output_of("tc " + what); });
  }
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a driver with XDP gets the program natively") {
  const Host host;
  CHECK(host.attach_traffic() == XdpMode::kNative);
  CHECK(contains(host.tc("filter show dev eth1 ingress"), "nsrp_tc_in"));
  CHECK(contains(host.tc("filter show dev eth1 egress"), "nsrp_tc_out"));
  CHECK(host.attached() == std::vector{host.host.ifindex("eth1")});
}

TEST_CASE("a driver without XDP gets the generic hook") {
  const Host host;
  host.host.run("ip link add br0 type bridge && ip link set br0 up");
  CHECK(host.attach_traffic("br0") == XdpMode::kGeneric);
  CHECK(to_string(XdpMode::kGeneric) == "generic");
}

TEST_CASE("an interface whose MTU is too large for native XDP gets the generic hook") {
  const Host host;
  host.host.run("ip link set eth1 mtu 9000");
  host.far.run("ip link set far1 mtu 9000");
  CHECK(host.attach_traffic() == XdpMode::kGeneric);
}

TEST_CASE("attaching twice replaces the programs, also those of an earlier run, in the mode they have") {
  Host host;
  host.host.run("ip link add br0 type bridge && ip link set br0 up");
  REQUIRE(host.attach_traffic() == XdpMode::kNative);
  REQUIRE(host.attach_traffic("br0") == XdpMode::kGeneric);
  const std::string before = host.tc("filter show dev eth1 egress");
  host.datapath = host.open();
  CHECK(host.attached().size() == 2);  // the first process is gone, its programs are not
  CHECK(host.attach_traffic() == XdpMode::kNative);
  CHECK(host.attach_traffic("br0") == XdpMode::kGeneric);
  CHECK(host.tc("filter show dev eth1 egress") != before);
}

TEST_CASE("an HA interface gets XDP and tc ingress") {
  const Host host;
  host.host.in([&] { CHECK(host.datapath->attach_ha(host.host.ifindex("eth1")) == XdpMode::kNative); });
  CHECK(contains(host.tc("filter show dev eth1 ingress"), "nsrp_ha_tc"));
  CHECK(host.tc("filter show dev eth1 egress").empty());
}

TEST_CASE("detaching leaves the interface as it was") {
  const Host host;
  REQUIRE(host.attach_traffic().has_value());
  host.host.in([&] { CHECK(host.datapath->detach(host.host.ifindex("eth1")).has_value()); });
  CHECK(host.attached().empty());
  CHECK_FALSE(contains(host.tc("qdisc show dev eth1"), "clsact"));
}

TEST_CASE("somebody else's filters survive us, and run after us") {
  const Host host;
  host.host.in([&] { attach_foreign_filter(host.host.ifindex("eth1"), 7); });
  REQUIRE(host.attach_traffic().has_value());
  host.host.in([&] { CHECK(host.datapath->detach(host.host.ifindex("eth1")).has_value()); });
  CHECK(contains(host.tc("filter show dev eth1 ingress"), "other_filter"));
}

TEST_CASE("somebody else's filter in our place is refused, and stays") {
  const Host host;
  host.host.in([&] { attach_foreign_filter(host.host.ifindex("eth1"), 1); });
  const auto refused = host.attach_traffic();
  REQUIRE_FALSE(refused.has_value());
  CHECK(contains(refused.error().message, "another program (other_filter) is the first filter there"));
  host.host.in([&] { CHECK(host.datapath->detach(host.host.ifindex("eth1")).has_value()); });
  CHECK(contains(host.tc("filter show dev eth1 ingress"), "other_filter"));
}

TEST_CASE("an interface with somebody else's XDP program is refused, and keeps it") {
  const Host host;
  host.host.in([&] { attach_pass(host.host.ifindex("eth1"), XDP_FLAGS_DRV_MODE); });
  const auto refused = host.attach_traffic();
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message.find("eth1 carries another XDP program (pass_all") == 0);
  CHECK(host.attached().empty());
  host.host.in([&] { CHECK(host.datapath->detach(host.host.ifindex("eth1")).has_value()); });
  CHECK(contains(host.host.in([] { return output_of("ip link show eth1"); }), "prog/xdp"));
}

TEST_CASE("an interface that does not exist is refused with a sentence") {
  const Host host;
  const auto refused = host.host.in([&] { return host.datapath->attach_traffic(IfIndex{4711}); });
  REQUIRE_FALSE(refused.has_value());
  CHECK(contains(refused.error().message, "interface 4711"));
}

TEST_CASE("removing takes everything off, from interfaces of an earlier run too") {
  Host host;
  host.host.run("ip link add br0 type bridge");
  REQUIRE(host.attach_traffic().has_value());
  REQUIRE(host.attach_traffic("br0").has_value());
  host.datapath = host.open();
  host.host.in([&] { host.datapath->remove(); });
  CHECK(host.attached().empty());
  for (const std::string name : {"eth1", "br0"}) {
    CHECK_FALSE(contains(host.tc("qdisc show dev " + name), "clsact"));
    CHECK_FALSE(contains(host.host.in([&] { return output_of("ip link show " + name); }), "xdp"));
  }
}

TEST_CASE("programs stay attached when the process that attached them ends") {
  Host host;
  REQUIRE(host.attach_traffic().has_value());
  host.datapath.reset();
  CHECK(contains(host.tc("filter show dev eth1 egress"), "nsrp_tc_out"));
  CHECK(contains(host.host.in([] { return output_of("ip link show eth1"); }), "prog/xdp"));
  host.datapath = host.open();
}
