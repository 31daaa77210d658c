// SPDX-License-Identifier: Apache-2.0
#include <random>
#include <sstream>

#include "builders.h"

using namespace nsrp;
using namespace nsrp::config;
using namespace nsrp::config::test;

namespace {

// Commands at random, a good part of them refused: what is left is a configuration an operator could have made.
class RandomOperator {
 public:
  explicit RandomOperator(unsigned seed) : random_(seed) {}

  std::string command() {
    const std::string un = pick(0, 3) == 0 ? "unset " : "set ";
    const bool sets = un == "set ";
    const auto value = [&](const std::string& word) { return sets ? " " + word : ""; };
    switch (pick(0, 19)) {
      case 0:
        return un + "hostname" + value("gw-" + number(0, 3));
      case 1:
        return un + "nsrp cluster id" + value(number(0, 7));
      case 2:
        return un + "nsrp cluster name" + value(name());
      case 3:
        return un + "nsrp arp" + value(number(1, 16));
      case 4:
        return un + std::string(pick(0, 2) == 0   ? "nsrp data-forwarding"
                                : pick(0, 1) == 0 ? "nsrp rto-mirror sync"
                                                  : "arp always-on-dest");
      case 5:
        return un + "nsrp secondary-path" + value(interface());
      case 6:
        return un + "nsrp monitor interface " + interface() + value("weight " + number(1, 255));
      case 7:
        return un + "nsrp vsd-group id " + number(0, 3);
      case 8:
        return un + "nsrp vsd-group id " + number(0, 3) + " priority" + value(number(1, 254));
      case 9:
        return un + "nsrp vsd-group id " + number(0, 3) + " preempt hold-down" + value(number(0, 600));
      case 10:
        return un + "nsrp vsd-group id " + number(0, 3) +
               (pick(0, 1) == 0 ? " preempt" : " defer" + value("time " + number(1, 100)));
      case 11:
        return un + global(sets);
      case 12:
        return un + "interface " + interface() + " zone" + value(zone());
      case 13:
        return un + "interface " + vsi() + " ip" + value(prefix_text());
      case 14:
        return un + "nsrp interface" + value(interface());
      case 15:
        return un + "nsrp ha-link probe" + (sets ? "" : " interval");
      case 16:
        return un + "nsrp ha-link probe" + value("threshold " + number(1, 9));
      case 17:
        return un + (pick(0, 1) == 0 ? "nsrp auth password" : "nsrp encrypt password") + value(name());
      case 18:
        return un + "interface " + interface() + " manage-ip" + value("10.1." + number(1, 3) + "." + number(20, 30));
      default:
        return un + "vrouter " + name() + " route " + network() + " interface " + vsi() + value(gateway());
    }
  }

 private:
  int pick(int min, int max) { return std::uniform_int_distribution(min, max)(random_); }
  std::string number(int min, int max) { return std::to_string(pick(min, max)); }
  std::string interface() { return "eth" + number(1, 12); }
  std::string vsi() { return interface() + (pick(0, 1) == 0 ? "" : ":" + number(0, 3)); }
  std::string zone() { return pick(0, 4) == 0 ? "ha" : pick(0, 9) == 0 ? "null" : name(); }
  std::string name() { return pick(0, 1) == 0 ? "\"local  LAN " + number(1, 3) + "\"" : "trust" + number(1, 3); }
  std::string prefix_text() {
    if (pick(0, 2) == 0) return "2001:db8:" + number(1, 3) + "::" + number(1, 99) + "/" + number(48, 64);
    return "10.1." + number(1, 3) + "." + number(1, 254) + "/" + number(16, 24);
  }
  std::string network() { return pick(0, 2) == 0 ? "::/0" : "10." + number(2, 5) + ".0.0/16"; }
  std::string gateway() {
    const std::string metric = pick(0, 1) == 0 ? "" : " metric " + number(1, 65535);
    return (pick(0, 1) == 0 ? "" : "gateway 10.1." + number(1, 3) + "." + number(1, 254)) + metric;
  }
  std::string global(bool sets) {
    if (pick(0, 1) == 0) return "nsrp vsd-group master-always-exist";
    return "nsrp vsd-group hb-threshold" + (sets ? " " + number(3, 255) : "");
  }

  std::mt19937 random_;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("a configuration prints as the commands that differ from the defaults") {
  CHECK(print(Config{}, Secrets::kWritten) == "");
  const Config config = configured({"set nsrp cluster id 1",
                                    "set nsrp cluster name \"head office\"",
                                    "set nsrp vsd-group id 1 preempt",
                                    "set nsrp vsd-group id 1 preempt hold-down 10",
                                    "set nsrp vsd-group id 0 priority 1",
                                    "set nsrp vsd-group id 0 defer",
                                    "set nsrp vsd-group id 1 defer time 25",
                                    "unset nsrp data-forwarding",
                                    "set nsrp vsd-group hb-interval 200",
                                    "set interface ha1 zone ha",
                                    "set interface eth10 zone trust",
                                    "set interface eth10 ip 10.1.1.1/24",
                                    "set interface eth10 manage-ip 10.1.1.20",
                                    "set interface eth2 zone untrust",
                                    "set interface eth2:1 ip 210.1.1.2/24",
                                    "set nsrp monitor interface eth2 weight 100",
                                    "set nsrp monitor interface eth10",
                                    "set nsrp rto-mirror sync",
                                    "set vrouter trust-vr route 0.0.0.0/0 interface eth2:1 gateway 210.1.1.250",
                                    "set vrouter trust-vr route 10.9.0.0/16 interface eth10 metric 7"});
  CHECK(print(config, Secrets::kWritten) ==
        "set nsrp cluster id 1\n"
        "set nsrp cluster name \"head office\"\n"
        "unset nsrp data-forwarding\n"
        "set nsrp rto-mirror sync\n"
        "set nsrp monitor interface eth2 weight 100\n"
        "set nsrp monitor interface eth10\n"
        "set nsrp vsd-group id 0\n"
        "set nsrp vsd-group id 1\n"
        "set nsrp vsd-group id 0 priority 1\n"
        "set nsrp vsd-group id 1 preempt hold-down 10\n"
        "set nsrp vsd-group id 1 preempt\n"
        "set nsrp vsd-group id 0 defer\n"
        "set nsrp vsd-group id 1 defer time 25\n"
        "set nsrp vsd-group hb-interval 200\n"
        "set interface eth2 zone untrust\n"
        "set interface eth10 zone trust\n"
        "set interface ha1 zone ha\n"
        "set interface eth2:1 ip 210.1.1.2/24\n"
        "set interface eth10 ip 10.1.1.1/24\n"
        "set interface eth10 manage-ip 10.1.1.20\n"
        "set vrouter trust-vr route 0.0.0.0/0 interface eth2:1 gateway 210.1.1.250\n"
        "set vrouter trust-vr route 10.9.0.0/16 interface eth10 metric 7\n");
}

TEST_CASE("a cluster whose VSD group 0 was removed says so") {
  const Config config = configured({"set nsrp cluster id 2", "unset nsrp vsd-group id 0"});
  CHECK(print(config, Secrets::kWritten) == "set nsrp cluster id 2\nunset nsrp vsd-group id 0\n");
}

TEST_CASE("what is printed loads as the same configuration, and can be typed in line by line") {
  size_t carried_out = 0, refused = 0, printed_lines = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    RandomOperator person(seed);
    Config config;
    for (int i = 0; i < 250; ++i) {
      const std::string line = person.command();
      const Config before = config;
      if (answer(config, line).empty()) {
        ++carried_out;
        continue;
      }
      ++refused;
      CHECK_MESSAGE(config == before, line);
    }
    const std::string text = print(config, Secrets::kWritten);
    const Result<Config> loaded = load(text, "printed");
    REQUIRE_MESSAGE(loaded.has_value(), loaded.error().message, "\n", text);
    CHECK(*loaded == config);
    CHECK(checksum(*loaded) == checksum(config));
    Config typed;
    for (const std::string& line : lines_of(text)) {
      CHECK_MESSAGE(answer(typed, line) == "", line);
      ++printed_lines;
    }
    CHECK(typed == config);
  }
  CHECK(carried_out > 1000);  // the operator does get through,
  CHECK(refused > 300);       // and is refused often enough to prove the point
  CHECK(printed_lines > 300);
}

TEST_CASE("the checksum covers what members share, and only that") {
  const Config config =
      configured({"set nsrp cluster id 1", "set interface eth1 zone trust", "set interface eth1 ip 10.1.1.1/24"});
  const auto changes_checksum = [&](std::string_view line) {
    Config changed = config;
    give(changed, {line});
    return checksum(changed) != checksum(config);
  };
  CHECK_FALSE(changes_checksum("set hostname gw-b"));
  CHECK_FALSE(changes_checksum("set nsrp vsd-group id 0 priority 1"));
  CHECK_FALSE(changes_checksum("set nsrp vsd-group id 0 preempt"));
  CHECK_FALSE(changes_checksum("set interface eth1 manage-ip 10.1.1.20"));
  CHECK_FALSE(changes_checksum("set interface ha1 zone ha"));
  CHECK_FALSE(changes_checksum("set nsrp monitor interface eth1"));
  CHECK(changes_checksum("set nsrp vsd-group id 1"));
  CHECK(changes_checksum("set nsrp arp 5"));
  CHECK(changes_checksum("set interface eth1 ip 10.1.1.2/24"));
  CHECK(changes_checksum("set interface eth2 zone trust"));
}

TEST_CASE("a command on a local interface does not propagate") {
  const Config vsis = configured({"set nsrp cluster id 1", "set interface eth1 zone trust"});
  Config local = vsis;
  give(local, {"unset nsrp vsd-group id 0", "set nsrp vsd-group id 1"});
  const auto goes = [](const Config& config, std::string_view line) {
    return propagates(config, parse_line(line).value());
  };
  CHECK(goes(vsis, "set interface eth1 ip 10.1.1.1/24"));
  CHECK(goes(vsis, "set interface eth1 zone trust"));
  CHECK(goes(vsis, "set vrouter v route 0.0.0.0/0 interface eth1"));
  CHECK_FALSE(goes(local, "set interface eth1 ip 10.1.1.1/24"));
  CHECK_FALSE(goes(local, "set interface eth1 zone trust"));
  CHECK_FALSE(goes(local, "set vrouter v route 0.0.0.0/0 interface eth1"));
  CHECK_FALSE(goes(vsis, "set interface eth1 manage-ip 10.1.1.20"));
  CHECK_FALSE(goes(configured({"set interface eth1 zone trust"}), "set interface eth1 ip 10.1.1.1/24"));
  give(local, {"set interface eth1:1 ip 10.1.1.2/24"});
  CHECK(goes(local, "set interface eth1:1 ip 10.1.1.2/24"));
  CHECK(goes(local, "set interface eth1 zone trust"));
}
