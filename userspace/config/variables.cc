// SPDX-License-Identifier: Apache-2.0
#include "config/variables.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <vector>

#include "config/language.h"
#include "config/words.h"

namespace nsrp::config {

namespace {

constexpr size_t kLongestInterface = 15;  // IFNAMSIZ less its final zero
constexpr size_t kLongestName = 63;
constexpr size_t kLongestSecret = 127;
constexpr uint32_t kLastVsd = 63;

constexpr std::array<std::string_view, 12> kRtoClasses = {"all", "arp",       "auth-table", "dhcp", "dns",     "l2tp",
                                                          "mac", "phase1-sa", "pki",        "rm",   "session", "vpn"};
constexpr std::array<std::string_view, 5> kModes = {"master", "backup", "pb", "init", "ineligible"};

const std::vector<Variable>& table() {
  static const Config standard;
  static const VsdGroup group;
  static const MonitoredInterface monitored;
  static const HaLinkProbe probe;
  static const std::vector<Variable> variables = {
      {"cluster-id", Kind::kNumber, "cluster id", 0, 7, standard.cluster.value},
      {"vsd", Kind::kNumber, "VSD group id", 0, kLastVsd},
      {"priority", Kind::kNumber, "priority", 1, 254, group.priority},
      {"hold-down", Kind::kNumber, "hold-down in seconds", 0, 600, static_cast<uint32_t>(group.hold_down.count())},
      {"defer-time", Kind::kNumber, "time in milliseconds", 1, 100, static_cast<uint32_t>(kDefaultDefer.count())},
      {"init-hold", Kind::kNumber, "initial hold in heartbeats", 5, 255, standard.init_hold},
      {"hb-interval", Kind::kNumber, "heartbeat interval in milliseconds", 5, 1000,
       static_cast<uint32_t>(standard.hb_interval.count())},
      {"hb-threshold", Kind::kNumber, "lost heartbeats", 3, 255, standard.hb_threshold},
      {"rto-hb-interval", Kind::kNumber, "RTO heartbeat interval in seconds", 1, 255, standard.rto_hb_interval_s},
      {"rto-hb-threshold", Kind::kNumber, "lost RTO heartbeats", 1, 255, standard.rto_hb_threshold},
      {"announcements", Kind::kNumber, "number of announcements", 1, 16, standard.arp},
      {"max-sessions", Kind::kNumber, "number of sessions", 1024, 1u << 24, standard.max_sessions},
      {"weight", Kind::kNumber, "weight", 1, 255, monitored.weight},
      {"metric", Kind::kNumber, "metric", 1, 65535},
      {"probe-interval", Kind::kNumber, "probe interval in seconds", 1, 255, probe.interval_s},
      {"probe-threshold", Kind::kNumber, "unanswered probes", 1, 255, probe.threshold},
      {"probe-count", Kind::kNumber, "number of probes", 1, 255, kDefaultProbeCount},
      {"name", Kind::kName, "name"},
      {"hostname", Kind::kHostname, "host name"},
      {"zone", Kind::kName, "zone"},
      {"vrouter", Kind::kName, "virtual router"},
      {"interface", Kind::kInterface, "interface"},
      {"vsi", Kind::kVsi, "interface or VSI"},
      {"prefix", Kind::kHostPrefix, "address with prefix length"},
      {"network", Kind::kNetwork, "destination"},
      {"address", Kind::kAddress, "address"},
      {"gateway", Kind::kAddress, "gateway address"},
      {"mac", Kind::kMac, "MAC address"},
      {"mark", Kind::kMark, "conntrack mark"},
      {"mark-mask", Kind::kMark, "mask of the conntrack mark"},
      {"password", Kind::kSecret, "password"},
      {"mode", Kind::kChoice, "mode", 0, 0, {}, kModes},
      {"rto-class", Kind::kChoice, "class of run-time objects", 0, 0, {}, kRtoClasses},
  };
  return variables;
}

std::string allowed(const Variable& variable) {
  const std::string standard = default_text(variable);
  return range_text(variable) + (standard.empty() ? "" : " (default " + standard + ")");
}

Result<std::string> check_number(const Variable& variable, const std::string& word) {
  const bool digits = !word.empty() && std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) {
    return fail(quoted(word) + " is not a number; " + std::string(variable.meaning) + " takes " + allowed(variable));
  }
  uint32_t number = 0;
  const auto result = std::from_chars(word.data(), word.data() + word.size(), number);
  if (result.ec != std::errc{} || number < variable.min || number > variable.max) {
    return fail(quoted(word) + " is out of range for " + std::string(variable.meaning) +
                "; allowed: " + allowed(variable));
  }
  return std::to_string(number);
}

Result<std::string> check_name(const Variable& variable, const std::string& word) {
  const std::string what(variable.meaning);
  if (word.empty()) return fail("the " + what + " is empty");
  if (word.size() > kLongestName) {
    return fail(quoted(word) + " is too long for a " + what + "; allowed: 1-" + std::to_string(kLongestName) +
                " bytes");
  }
  if (variable.kind == Kind::kHostname) {
    const bool plain = std::ranges::all_of(word, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
             c == '_';
    });
    if (!plain || word[0] == '-' || word[0] == '.') {
      return fail(quoted(word) + " is not a host name; allowed: letters, digits, \"-\", \".\" and \"_\"");
    }
  }
  return word;
}

Result<std::string> check_interface(const std::string& word) {
  if (word.find('/') != std::string::npos) {
    return fail(quoted(word) +
                " cannot name a Linux interface, which holds no \"/\"; name it as \"ip link\" shows it, e.g. eth1");
  }
  if (word.size() > kLongestInterface) {
    return fail(quoted(word) + " is too long for an interface; allowed: 1-" + std::to_string(kLongestInterface) +
                " characters");
  }
  if (word.empty() || word == "." || word == ".." || word.find(' ') != std::string::npos) {
    return fail(quoted(word) + " is not an interface name; name it as \"ip link\" shows it, e.g. eth1");
  }
  return word;
}

Result<std::string> check_vsi(const std::string& word) {
  const size_t colon = word.find(':');
  Result<std::string> ifname = check_interface(word.substr(0, colon));
  if (!ifname || colon == std::string::npos) return ifname;
  Result<std::string> vsd = check_number(variable("vsd"), word.substr(colon + 1));
  if (!vsd) return vsd;
  // The manual leaves out the id of VSD group 0 (ch. 1, Default Settings, note).
  return *vsd == "0" ? *ifname : *ifname + ":" + *vsd;
}

Result<std::string> check_host_prefix(const std::string& word) {
  Result<Prefix> prefix = Prefix::parse(word);
  if (!prefix) return fail(prefix.error());
  if (std::optional<std::string> why = unusable_host(*prefix)) return fail(*why);
  return to_string(*prefix);
}

Result<std::string> check_network(const std::string& word) {
  Result<Prefix> prefix = Prefix::parse(word);
  if (!prefix) return fail(prefix.error());
  const Prefix network{prefix->network(), prefix->length};
  if (network != *prefix) return fail(quoted(word) + " is not a subnet; write " + to_string(network));
  return to_string(network);
}

Result<std::string> check_address(const std::string& word) {
  Result<IpAddress> address = IpAddress::parse(word);
  if (!address) return fail(address.error());
  if (address->is_unspecified() || address->is_multicast() || address->is_loopback()) {
    return fail(quoted(word) + " is not the address of a host");
  }
  return to_string(*address);
}

Result<std::string> check_mac(const std::string& word) {
  const Result<MacAddress> mac = MacAddress::parse(word);
  if (!mac) return fail(mac.error());
  if (mac->is_zero() || (mac->bytes[0] & 1) != 0) return fail(quoted(word) + " is not the MAC address of one device");
  return to_string(*mac);
}

Result<std::string> check_mark(const Variable& variable, const std::string& word) {
  const bool hex = word.starts_with("0x") || word.starts_with("0X");
  const char *begin = word.data() + (hex ? 2 : 0), *end = word.data() + word.size();
  uint32_t mark = 0;
  const auto result = std::from_chars(begin, end, mark, hex ? 16 : 10);
  if (result.ec != std::errc{} || result.ptr != end) {
    return fail(quoted(word) + " is no " + std::string(variable.meaning) + "; allowed: " + range_text(variable));
  }
  std::array<char, 2 * sizeof mark> digits;
  const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), mark, 16);
  return "0x" + std::string(digits.data(), written.ptr);
}

Result<std::string> check_secret(const Variable& variable, const std::string& word) {
  const std::string what = "the " + std::string(variable.meaning);
  if (word.empty()) return fail(what + " is empty; allowed: " + range_text(variable));
  if (word.size() > kLongestSecret) return fail(what + " is too long; allowed: " + range_text(variable));
  if (word == kMask) {
    return fail("\"" + std::string(kMask) + "\" only stands for a " + std::string(variable.meaning) +
                " that is not shown; type the " + std::string(variable.meaning) + " itself");
  }
  return word;
}

Result<std::string> check_choice(const Variable& variable, const std::string& word) {
  std::vector<std::string> matching;
  for (std::string_view choice : variable.choices) {
    if (!word.empty() && starts_with_ignoring_case(choice, word)) matching.emplace_back(choice);
    if (choice.size() == word.size() && !matching.empty() && matching.back() == choice) return matching.back();
  }
  if (matching.size() == 1) return matching[0];
  const std::string what(variable.meaning);
  if (!matching.empty()) return fail(quoted(word) + " is ambiguous for " + what + ": " + join_or(matching));
  return fail("unknown " + what + " " + quoted(word) + "; allowed: " + range_text(variable));
}

}  // namespace

const Variable& variable(std::string_view name) {
  for (const Variable& candidate : table()) {
    if (candidate.name == name) return candidate;
  }
  throw std::logic_error("grammar: no variable <" + std::string(name) + ">");
}

std::span<const Variable> all_variables() {
  return table();
}

Result<std::string> check(const Variable& variable, const std::string& word) {
  switch (variable.kind) {
    case Kind::kNumber:
      return check_number(variable, word);
    case Kind::kName:
    case Kind::kHostname:
      return check_name(variable, word);
    case Kind::kInterface:
      if (word.find(':') != std::string::npos) return fail(quoted(word) + " is a VSI; name its interface here");
      return check_interface(word);
    case Kind::kVsi:
      return check_vsi(word);
    case Kind::kHostPrefix:
      return check_host_prefix(word);
    case Kind::kNetwork:
      return check_network(word);
    case Kind::kAddress:
      return check_address(word);
    case Kind::kChoice:
      return check_choice(variable, word);
    case Kind::kMac:
      return check_mac(word);
    case Kind::kMark:
      return check_mark(variable, word);
    case Kind::kSecret:
      return check_secret(variable, word);
  }
  throw std::logic_error("grammar: variable of no kind");
}

std::string range_text(const Variable& variable) {
  switch (variable.kind) {
    case Kind::kNumber:
      return std::to_string(variable.min) + "-" + std::to_string(variable.max);
    case Kind::kName:
      return "text, in quotes if it has blanks";
    case Kind::kHostname:
      return "text without blanks";
    case Kind::kInterface:
      return "Linux interface name";
    case Kind::kVsi:
      return "Linux interface name, with :VSD for VSD groups 1-63";
    case Kind::kHostPrefix:
      return "IPv4 or IPv6 address/length";
    case Kind::kNetwork:
      return "IPv4 or IPv6 subnet/length";
    case Kind::kAddress:
      return "IPv4 or IPv6 address";
    case Kind::kChoice:
      return join_comma({variable.choices.begin(), variable.choices.end()});
    case Kind::kMac:
      return "12 hex digits, with colons or without";
    case Kind::kMark:
      return "0-4294967295, or 0x0-0xffffffff";
    case Kind::kSecret:
      return "1-" + std::to_string(kLongestSecret) + " bytes, in quotes if it has blanks";
  }
  throw std::logic_error("grammar: variable of no kind");
}

std::string default_text(const Variable& variable) {
  return variable.standard ? std::to_string(*variable.standard) : "";
}

std::string expectation(const Variable& variable) {
  const bool says_more = variable.kind == Kind::kNumber || variable.kind == Kind::kChoice;
  return std::string(variable.meaning) + (says_more ? " (" + range_text(variable) + ")" : "");
}

std::string hint(const Variable& variable) {
  const std::string range = variable.kind == Kind::kNumber ? ":" + range_text(variable) : "";
  return "<" + std::string(variable.name) + range + ">";
}

VsiName split_vsi(const std::string& name) {
  const size_t colon = name.find(':');
  VsiName vsi{name.substr(0, colon), VsdId{0}};
  if (colon != std::string::npos) {
    std::from_chars(name.data() + colon + 1, name.data() + name.size(), vsi.vsd.value);
  }
  return vsi;
}

std::optional<std::string> unusable_host(const Prefix& prefix) {
  const IpAddress& address = prefix.address;
  const std::string text = quoted(to_string(prefix));
  if (address.is_unspecified() || address.is_multicast() || address.is_loopback()) {
    return text + " cannot be an interface's address";
  }
  if (prefix.length == 0) return text + " has no subnet; write the subnet's prefix length";
  if (prefix.length + 1 >= address.max_prefix_length()) return {};  // point-to-point and host prefixes: RFC 3021, 6164
  if (prefix.network() == address) return text + " is the address of its subnet, not of a host in it";
  if (address.family == Family::kIpv4) {
    IpAddress broadcast = prefix.network();
    for (unsigned bit = prefix.length; bit < 32; ++bit) {
      broadcast.bytes[bit / 8] = static_cast<uint8_t>(broadcast.bytes[bit / 8] | 0x80 >> bit % 8);
    }
    if (broadcast == address) return text + " is the broadcast address of its subnet";
  }
  return {};
}

}  // namespace nsrp::config
