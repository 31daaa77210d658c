// SPDX-License-Identifier: Apache-2.0
// VSD groups (manual ch. 1, Virtual Security Device Groups).
#include "config/scalar_rows.h"

namespace nsrp::config {

namespace {

VsdGroup& group_of(Config& config, const Values& values) {
  return config.vsd_groups.try_emplace(values.vsd(), VsdGroup{.id = values.vsd()}).first->second;
}

Status create_group(Config& config, const Values& values) {
  group_of(config, values);
  return {};
}

// What still depends on the group; "": nothing. Without VSD group 0 its VSIs are local interfaces and stay in use.
std::string user_of(const Config& config, VsdId vsd) {
  if (vsd.value == 0) return "";
  for (const auto& [name, interface] : config.interfaces) {
    if (interface.addresses.contains(vsd)) return "VSI " + vsi_name(name, vsd);
  }
  for (const Route& route : config.routes) {
    if (route.vsd == vsd) return "the route to " + to_string(route.destination);
  }
  return "";
}

Status remove_group(Config& config, const Values& values) {
  const std::string what = "VSD group " + values.text("vsd");
  if (const std::string user = user_of(config, values.vsd()); !user.empty()) {
    return fail(what + " is in use by " + user + "; unset that first");
  }
  return config.vsd_groups.erase(values.vsd()) == 0 ? fail(what + " does not exist") : Status{};
}

// A cluster without VSD group 0 must say so, because joining has created it.
Printed print_removed_group(const Config& config) {
  if (config.cluster.value == 0 || config.vsd_groups.contains(VsdId{0})) return {};
  return {{"0"}};
}

Status set_priority(Config& config, const Values& values) {
  group_of(config, values).priority = static_cast<uint8_t>(values.number("priority"));
  return {};
}

Status set_preempt(Config& config, const Values& values) {
  group_of(config, values).preempt = true;
  return {};
}

Status set_ineligible(Config& config, const Values& values) {
  group_of(config, values).ineligible = true;
  return {};
}

Status set_hold_down(Config& config, const Values& values) {
  group_of(config, values).hold_down = seconds(values.number("hold-down"));
  return {};
}

Status set_defer(Config& config, const Values& values) {
  group_of(config, values).defer = values.has("defer-time") ? milliseconds(values.number("defer-time")) : kDefaultDefer;
  return {};
}

// Back to the default, in a group that exists.
template <auto Member>
Status restore_in_group(Config& config, const Values& values) {
  const auto found = config.vsd_groups.find(values.vsd());
  if (found == config.vsd_groups.end()) return fail("VSD group " + values.text("vsd") + " does not exist");
  found->second.*Member = VsdGroup{}.*Member;
  return {};
}

Printed all_groups(const Config& config) {
  Printed printed;
  for (const auto& [vsd, group] : config.vsd_groups) printed.push_back({std::to_string(vsd.value)});
  return printed;
}

// The variable words of the command for a member; a switch has only the group's id.
std::vector<std::string> command_of(VsdId vsd, bool) {
  return {std::to_string(vsd.value)};
}
std::vector<std::string> command_of(VsdId vsd, uint8_t number) {
  return {std::to_string(vsd.value), std::to_string(number)};
}
std::vector<std::string> command_of(VsdId vsd, seconds time) {
  return {std::to_string(vsd.value), std::to_string(time.count())};
}
std::vector<std::string> command_of(VsdId vsd, milliseconds defer) {
  return {std::to_string(vsd.value), defer == kDefaultDefer ? "" : std::to_string(defer.count())};
}

// One command for each group whose Member is not the default.
template <auto Member>
Printed for_each_group(const Config& config) {
  Printed printed;
  for (const auto& [vsd, group] : config.vsd_groups) {
    if (group.*Member != VsdGroup{}.*Member) printed.push_back(command_of(vsd, group.*Member));
  }
  return printed;
}

constexpr Row kRows[] = {
    {"unset nsrp vsd-group id <vsd>", CommandId::kSet,
     "Remove a VSD group; without group 0 the interfaces of its VSIs become local interfaces", Propagation::kAlways,
     remove_group, print_removed_group},
    {"set nsrp vsd-group id <vsd>", CommandId::kSet, "Create a VSD group", Propagation::kAlways, create_group,
     all_groups},
    {"set nsrp vsd-group id <vsd> priority <priority>", CommandId::kSet,
     "This device's priority in the group: the lowest number becomes master", Propagation::kNever, set_priority,
     for_each_group<&VsdGroup::priority>},
    {"unset nsrp vsd-group id <vsd> priority", CommandId::kSet, "Return to the default priority", Propagation::kNever,
     restore_in_group<&VsdGroup::priority>},
    {"set nsrp vsd-group id <vsd> preempt hold-down <hold-down>", CommandId::kSet,
     "How long to wait before taking over by preemption; does not itself enable preempt", Propagation::kNever,
     set_hold_down, for_each_group<&VsdGroup::hold_down>},
    {"unset nsrp vsd-group id <vsd> preempt hold-down", CommandId::kSet, "Preempt without waiting", Propagation::kNever,
     restore_in_group<&VsdGroup::hold_down>},
    {"set nsrp vsd-group id <vsd> preempt", CommandId::kSet,
     "Take over from a master with a worse priority (default: off)", Propagation::kNever, set_preempt,
     for_each_group<&VsdGroup::preempt>},
    {"unset nsrp vsd-group id <vsd> preempt", CommandId::kSet, "Leave a working master in place", Propagation::kNever,
     restore_in_group<&VsdGroup::preempt>},
    {"set nsrp vsd-group id <vsd> mode ineligible", CommandId::kSet,
     "Take no part in the election of the group's master, after a restart neither", Propagation::kNever, set_ineligible,
     for_each_group<&VsdGroup::ineligible>},
    {"unset nsrp vsd-group id <vsd> mode", CommandId::kSet, "Take part in the election, through the initial state",
     Propagation::kNever, restore_in_group<&VsdGroup::ineligible>},
    {"set nsrp vsd-group id <vsd> defer [time <defer-time>]", CommandId::kSet,
     "Hold the first packet of each session until the peer has the session (default: off)", Propagation::kAlways,
     set_defer, for_each_group<&VsdGroup::defer>},
    {"unset nsrp vsd-group id <vsd> defer", CommandId::kSet, "Let first packets go at once", Propagation::kAlways,
     restore_in_group<&VsdGroup::defer>},
    {"set nsrp vsd-group init-hold <init-hold>", CommandId::kSet,
     "Heartbeat intervals that a member stays in the initial state", Propagation::kAlways, assign<&Config::init_hold>,
     shown<&Config::init_hold>},
    {"unset nsrp vsd-group init-hold", CommandId::kSet, "Return to the default initial hold", Propagation::kAlways,
     restore<&Config::init_hold>},
    {"set nsrp vsd-group hb-interval <hb-interval>", CommandId::kSet, "Time between VSD heartbeats, of all groups",
     Propagation::kAlways, assign<&Config::hb_interval>, shown<&Config::hb_interval>},
    {"unset nsrp vsd-group hb-interval", CommandId::kSet, "Return to the default heartbeat interval",
     Propagation::kAlways, restore<&Config::hb_interval>},
    {"set nsrp vsd-group hb-threshold <hb-threshold>", CommandId::kSet,
     "Lost heartbeats after which a member counts as missing", Propagation::kAlways, assign<&Config::hb_threshold>,
     shown<&Config::hb_threshold>},
    {"unset nsrp vsd-group hb-threshold", CommandId::kSet, "Return to the default heartbeat threshold",
     Propagation::kAlways, restore<&Config::hb_threshold>},
    {"set nsrp vsd-group master-always-exist", CommandId::kSet,
     "Keep one member master even when all are inoperable (default: off)", Propagation::kAlways,
     assign_switch<&Config::master_always_exist, true>, shown<&Config::master_always_exist>},
    {"unset nsrp vsd-group master-always-exist", CommandId::kSet, "Allow a group without a master",
     Propagation::kAlways, assign_switch<&Config::master_always_exist, false>},
};

}  // namespace

std::span<const Row> vsd_rows() {
  return kRows;
}

}  // namespace nsrp::config
