// SPDX-License-Identifier: Apache-2.0
#include "config/model.h"

#include <algorithm>

namespace nsrp::config {

namespace {

constexpr size_t kHaLinks = 3;  // manual ch. 1, Control Messages, note

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// The digits at `at`, without leading zeros, which sort as numbers do: shorter first, then by text.
std::string_view number_at(const std::string& text, size_t& at) {
  while (at < text.size() && text[at] == '0') ++at;
  const size_t begin = at;
  while (at < text.size() && is_digit(text[at])) ++at;
  return std::string_view(text).substr(begin, at - begin);
}

}  // namespace

bool interface_name_less(const std::string& a, const std::string& b) {
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      const std::string_view x = number_at(a, i), y = number_at(b, j);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i, ++j;
    }
  }
  if ((i < a.size()) != (j < b.size())) return j < b.size();
  return a < b;  // eth1 and eth01
}

bool Interface::is_transparent() const {
  return std::ranges::find(kTransparentZones, zone) != kTransparentZones.end();
}

std::string vsi_name(const std::string& ifname, VsdId vsd) {
  return vsd.value == 0 ? ifname : ifname + ":" + std::to_string(vsd.value);
}

std::vector<const Interface*> interfaces_in_order(const Config& config) {
  std::vector<const Interface*> ordered;
  for (const auto& [name, interface] : config.interfaces) ordered.push_back(&interface);
  std::ranges::sort(ordered,
                    [](const Interface* a, const Interface* b) { return interface_name_less(a->name, b->name); });
  return ordered;
}

std::vector<std::string> ha_interfaces_of(const Config& config) {
  std::vector<std::string> names;
  for (const Interface* interface : interfaces_in_order(config)) {
    if (interface->is_ha() && names.size() < kHaLinks) names.push_back(interface->name);
  }
  return names;
}

std::vector<Prefix> local_addresses_of(const Config& config, const std::string& ifname) {
  const bool are_vsis = config.cluster.value != 0 && config.vsd_groups.contains(VsdId{0});
  const auto interface = config.interfaces.find(ifname);
  if (are_vsis || interface == config.interfaces.end()) return {};
  const auto addresses = interface->second.addresses.find(VsdId{0});
  return addresses == interface->second.addresses.end() ? std::vector<Prefix>{} : addresses->second;
}

std::optional<Prefix> manage_prefix(const Interface& interface, const IpAddress& manage_ip) {
  const auto addresses = interface.addresses.find(VsdId{0});
  if (addresses == interface.addresses.end()) return {};
  std::optional<Prefix> closest;
  for (const Prefix& prefix : addresses->second) {
    if (prefix.contains(manage_ip) && (!closest || prefix.length > closest->length)) {
      closest = Prefix{manage_ip, prefix.length};
    }
  }
  return closest;
}

}  // namespace nsrp::config
