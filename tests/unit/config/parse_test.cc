// SPDX-License-Identifier: Apache-2.0
#include "builders.h"

using namespace nsrp;
using namespace nsrp::config;
using namespace nsrp::config::test;

TEST_CASE("keywords may be shortened to a unique prefix, in any case of letters") {
  const Command command = parse_line("SET nsrp vsd id 0 PRIO 50").value();
  CHECK(join_words(command.words) == "set nsrp vsd-group id 0 priority 50");
  CHECK(command.arguments == Words{"0", "50"});
  CHECK(command.id == CommandId::kSet);
  CHECK(join_words(parse_line("g ns").value().words) == "get nsrp");
  CHECK(join_words(parse_line("sa").value().words) == "save");
}

TEST_CASE("an unknown word is named, with its place and what is allowed there") {
  CHECK(parse_error("set nsrp foo") ==
        "unknown keyword \"foo\" after \"set nsrp\"; allowed: arp, auth, cluster, data-forwarding, encrypt, "
        "fast-path, ha-link, interface, max-sessions, monitor, rto-mirror, secondary-path, vsd-group");
  CHECK(parse_error("show nsrp") == "unknown command \"show\"; allowed: clear, exec, get, reset, save, set, unset");
  CHECK(parse_error("set nsrp vsd-group id 0 foo") ==
        "unknown keyword \"foo\" after \"set nsrp vsd-group id 0\"; allowed: defer, mode, preempt, priority");
  CHECK(parse_error("set nsrp \"\"") ==
        "unknown keyword \"\" after \"set nsrp\"; allowed: arp, auth, cluster, data-forwarding, encrypt, "
        "fast-path, ha-link, interface, max-sessions, monitor, rto-mirror, secondary-path, vsd-group");
}

TEST_CASE("an ambiguous word is refused with the candidates") {
  CHECK(parse_error("se") == "incomplete command after \"set\"; expected: arp, hostname, interface, nsrp, vrouter");
  CHECK(parse_error("s") == "\"s\" is ambiguous: save or set");
  CHECK(parse_error("set nsrp vsd-group i 1") == "\"i\" is ambiguous after \"set nsrp vsd-group\": id or init-hold");
  CHECK(parse_error("get nsrp c") == "\"c\" is ambiguous after \"get nsrp\": cluster or counters");
  CHECK(parse_error("set nsrp vsd-group hb 5") ==
        "\"hb\" is ambiguous after \"set nsrp vsd-group\": hb-interval or hb-threshold");
  CHECK(parse_error("exec nsrp vsd-group id 0 mode i") == "\"i\" is ambiguous for mode: init or ineligible");
}

TEST_CASE("a number out of range is refused with the range and the default") {
  CHECK(parse_error("set nsrp vsd-group id 0 priority 300") ==
        "\"300\" is out of range for priority; allowed: 1-254 (default 100)");
  CHECK(parse_error("set nsrp vsd-group id 0 priority 0") ==
        "\"0\" is out of range for priority; allowed: 1-254 (default 100)");
  CHECK(parse_error("set nsrp cluster id 8") == "\"8\" is out of range for cluster id; allowed: 0-7 (default 0)");
  CHECK(parse_error("set nsrp vsd-group id 64") == "\"64\" is out of range for VSD group id; allowed: 0-63");
  CHECK(parse_error("set nsrp arp 99999999999999999999") ==
        "\"99999999999999999999\" is out of range for number of announcements; allowed: 1-16 (default 4)");
  CHECK(parse_error("set interface eth1:64 ip 10.1.1.1/24") ==
        "\"64\" is out of range for VSD group id; allowed: 0-63");
}

TEST_CASE("each range of the language ends where it says") {
  struct Range {
    std::string_view command;
    int min, max;
  };
  for (const Range& range :
       {Range{"set nsrp cluster id", 0, 7}, Range{"set nsrp vsd-group id", 0, 63},
        Range{"set nsrp vsd-group id 0 priority", 1, 254}, Range{"set nsrp vsd-group id 0 preempt hold-down", 0, 600},
        Range{"set nsrp vsd-group id 0 defer time", 1, 100}, Range{"set nsrp vsd-group init-hold", 5, 255},
        Range{"set nsrp vsd-group hb-interval", 5, 1000}, Range{"set nsrp vsd-group hb-threshold", 3, 255},
        Range{"set nsrp arp", 1, 16}, Range{"set nsrp rto-mirror hb-interval", 1, 255},
        Range{"set nsrp rto-mirror hb-threshold", 1, 255}, Range{"set nsrp monitor interface eth1 weight", 1, 255},
        Range{"set vrouter v route 0.0.0.0/0 interface eth1 metric", 1, 65535}}) {
    const auto accepts = [&](int number) {
      return parse_line(std::string(range.command) + " " + std::to_string(number)).has_value();
    };
    CAPTURE(range.command);
    CHECK(accepts(range.min));
    CHECK(accepts(range.max));
    CHECK_FALSE(accepts(range.min - 1));
    CHECK_FALSE(accepts(range.max + 1));
  }
}

TEST_CASE("what is not a number is called so") {
  CHECK(parse_error("set nsrp arp five") == "\"five\" is not a number; number of announcements takes 1-16 (default 4)");
  CHECK(parse_error("set nsrp arp -5") == "\"-5\" is not a number; number of announcements takes 1-16 (default 4)");
  CHECK(parse_error("set nsrp arp 5x") == "\"5x\" is not a number; number of announcements takes 1-16 (default 4)");
}

TEST_CASE("a command that stops early says what is missing") {
  CHECK(parse_error("set nsrp arp") ==
        "incomplete command after \"set nsrp arp\"; expected: number of announcements (1-16)");
  CHECK(parse_error("") == "incomplete command; expected: clear, exec, get, reset, save, set, unset");
  CHECK(parse_error("set interface") == "incomplete command after \"set interface\"; expected: interface or VSI");
  CHECK(parse_error("exec nsrp vsd-group id 1 mode") ==
        "incomplete command after \"exec nsrp vsd-group id 1 mode\"; expected: mode (master, backup, pb, init, "
        "ineligible)");
}

TEST_CASE("words after the end of a command are refused") {
  CHECK(parse_error("save now") == "unexpected word \"now\" after \"save\"");
  CHECK(parse_error("set nsrp arp 5 6") == "unexpected word \"6\" after \"set nsrp arp 5\"");
}

TEST_CASE("interface names are Linux names, and the message says so to users of ScreenOS") {
  CHECK(parse_line("set interface eth1.10:7 ip 10.1.1.1/24").value().arguments == Words{"eth1.10:7", "10.1.1.1/24"});
  CHECK(parse_line("set interface eth1:0 ip 10.1.1.1/24").value().arguments == Words{"eth1", "10.1.1.1/24"});
  CHECK(parse_line("set interface abcdefghijklmno zone trust").has_value());
  CHECK(parse_error("set interface ethernet1/1 zone trust") ==
        "\"ethernet1/1\" cannot name a Linux interface, which holds no \"/\"; name it as \"ip link\" shows it, e.g. "
        "eth1");
  CHECK(parse_error("set interface abcdefghijklmnop zone trust") ==
        "\"abcdefghijklmnop\" is too long for an interface; allowed: 1-15 characters");
  CHECK(parse_error("set interface \"eth 1\" zone trust") ==
        "\"eth 1\" is not an interface name; name it as \"ip link\" shows it, e.g. eth1");
  CHECK(parse_error("set interface .. zone trust") ==
        "\"..\" is not an interface name; name it as \"ip link\" shows it, e.g. eth1");
  CHECK(parse_error("set nsrp monitor interface eth1:1") == "\"eth1:1\" is a VSI; name its interface here");
  CHECK(parse_error("set interface eth1:1 zone trust") ==
        "unknown keyword \"zone\" after \"set interface eth1:1\"; allowed: ip");
}

TEST_CASE("addresses are checked where they are written") {
  CHECK(parse_error("set interface eth1 ip 10.1.1.1.2/24") == "\"10.1.1.1.2\" is not an IPv4 or IPv6 address");
  CHECK(parse_error("set interface eth1 ip 10.1.1.1") ==
        "\"10.1.1.1\" has no prefix length; write address/length, as 10.1.1.1/24");
  CHECK(parse_error("set interface eth1 ip 10.1.1.1/33") == "\"33\" is not a prefix length; allowed: 0-32");
  CHECK(parse_error("set interface eth1 ip 10.1.1.0/24") ==
        "\"10.1.1.0/24\" is the address of its subnet, not of a host in it");
  CHECK(parse_error("set interface eth1 ip 10.1.1.127/25") ==
        "\"10.1.1.127/25\" is the broadcast address of its subnet");
  CHECK(parse_error("set interface eth1 ip 224.0.0.1/24") == "\"224.0.0.1/24\" cannot be an interface's address");
  CHECK(parse_error("set interface eth1 ip 10.1.1.1/0") ==
        "\"10.1.1.1/0\" has no subnet; write the subnet's prefix length");
  CHECK(parse_line("set interface eth1 ip 10.1.1.0/31").has_value());
  CHECK(parse_line("set interface eth1 ip 10.1.1.0/32").has_value());
  CHECK(parse_line("set interface eth1 ip 2001:DB8:0:0::1/64").value().arguments[1] == "2001:db8::1/64");
  CHECK(parse_error("set interface eth1 manage-ip 0.0.0.0") == "\"0.0.0.0\" is not the address of a host");
  CHECK(parse_error("set vrouter trust-vr route 10.1.1.5/24 interface eth1") ==
        "\"10.1.1.5/24\" is not a subnet; write 10.1.1.0/24");
}

TEST_CASE("names are case-sensitive, bounded, and never empty") {
  CHECK(parse_line("set nsrp cluster name \"Local LAN\"").value().arguments == Words{"Local LAN"});
  CHECK(parse_error("set nsrp cluster name \"\"") == "the name is empty");
  const std::string limit(63, 'n');
  CHECK(parse_line("set nsrp cluster name " + limit).has_value());
  CHECK(parse_error("set nsrp cluster name " + limit + "n").ends_with("is too long for a name; allowed: 1-63 bytes"));
  CHECK(parse_error("set hostname \"a b\"") ==
        "\"a b\" is not a host name; allowed: letters, digits, \"-\", \".\" and \"_\"");
}

TEST_CASE("commands for the daemon carry their variable words") {
  struct Case {
    std::string_view line;
    CommandId id;
    Words arguments;
  };
  for (const Case& c : {Case{"save", CommandId::kSave, {}},
                        Case{"reset", CommandId::kReset, {}},
                        Case{"unset all", CommandId::kUnsetAll, {}},
                        Case{"get nsrp", CommandId::kGetNsrp, {}},
                        Case{"get nsrp cluster", CommandId::kGetNsrpCluster, {}},
                        Case{"get nsrp vsd-group", CommandId::kGetNsrpVsdGroup, {}},
                        Case{"get nsrp vsd-group id 3", CommandId::kGetNsrpVsdGroup, {"3"}},
                        Case{"get nsrp ha-link", CommandId::kGetNsrpHaLink, {}},
                        Case{"get nsrp rto-mirror", CommandId::kGetNsrpRtoMirror, {}},
                        Case{"get nsrp monitor", CommandId::kGetNsrpMonitor, {}},
                        Case{"get nsrp counters", CommandId::kGetNsrpCounters, {}},
                        Case{"get interface", CommandId::kGetInterface, {}},
                        Case{"get interface eth1:1", CommandId::kGetInterface, {"eth1:1"}},
                        Case{"get route", CommandId::kGetRoute, {}},
                        Case{"get config", CommandId::kGetConfig, {}},
                        Case{"get event", CommandId::kGetEvent, {}},
                        Case{"get session", CommandId::kGetSession, {}},
                        Case{"get system", CommandId::kGetSystem, {}},
                        Case{"exec nsrp vsd-group id 1 mode pb", CommandId::kExecVsdMode, {"1", "pb"}},
                        Case{"exec nsrp vsd id 1 mode M", CommandId::kExecVsdMode, {"1", "master"}},
                        Case{"clear nsrp counters", CommandId::kClearNsrpCounters, {}},
                        Case{"clear cluster nsrp counters", CommandId::kClearClusterNsrpCounters, {}}}) {
    CAPTURE(c.line);
    const Result<Command> command = parse_line(c.line);
    REQUIRE(command.has_value());
    CHECK(command->id == c.id);
    CHECK(command->arguments == c.arguments);
  }
}

TEST_CASE("the commands of the manual's Table 1 stay on the device") {
  for (std::string_view line :
       {"set nsrp cluster id 1", "set nsrp monitor interface eth1", "unset nsrp monitor interface eth1",
        "set nsrp vsd-group id 0 preempt", "set nsrp vsd-group id 0 priority 1", "unset nsrp vsd-group id 0 priority",
        "set nsrp vsd-group id 0 preempt hold-down 10", "set interface eth1 manage-ip 10.1.1.20", "set hostname gw-a",
        "unset hostname", "clear nsrp counters", "set nsrp rto-mirror session off",
        "set nsrp rto-mirror session clear-on-inactive", "exec nsrp sync rto all from peer",
        "exec nsrp vsd-group id 0 mode backup", "save", "get nsrp", "unset all", "reset"}) {
    CHECK_MESSAGE(!parse_line(line).value().propagates, line);
  }
  for (std::string_view line :
       {"set nsrp cluster name x", "set nsrp vsd-group id 1", "unset nsrp vsd-group id 1", "set nsrp arp 5",
        "set nsrp secondary-path eth2", "set nsrp rto-mirror sync", "unset nsrp data-forwarding", "set nsrp fast-path",
        "set nsrp max-sessions 100000", "set nsrp rto-mirror hb-interval 8", "set nsrp rto-mirror hb-threshold 4",
        "set nsrp vsd-group hb-interval 200", "set nsrp vsd-group master-always-exist", "set nsrp vsd-group id 0 defer",
        "set interface eth1:1 ip 10.1.1.1/24", "clear cluster nsrp counters"}) {
    CHECK_MESSAGE(parse_line(line).value().propagates, line);
  }
}
