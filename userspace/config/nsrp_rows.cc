// SPDX-License-Identifier: Apache-2.0
// Cluster, HA links, RTO mirror, monitoring.
#include <algorithm>
#include <sstream>

#include "config/scalar_rows.h"
#include "config/words.h"

namespace nsrp::config {

namespace {

// Joining creates VSD group 0, which turns the interfaces in security zones into VSIs; an operator who has removed the
// group and changes from one cluster id to another has joined already (manual ch. 1, NSRP Clusters).
Status set_cluster(Config& config, const Values& values) {
  const bool joins = config.cluster.value == 0;
  config.cluster.value = static_cast<uint8_t>(values.number("cluster-id"));
  if (joins && config.cluster.value != 0) config.vsd_groups.try_emplace(VsdId{0}, VsdGroup{.id = VsdId{0}});
  return {};
}

Printed print_cluster(const Config& config) {
  if (config.cluster.value == 0) return {};
  return {{std::to_string(config.cluster.value)}};
}

Status set_monitor(Config& config, const Values& values) {
  MonitoredInterface object{.ifname = values.text("interface")};
  if (values.has("weight")) object.weight = static_cast<uint8_t>(values.number("weight"));
  std::vector<MonitoredInterface>& all = config.monitored;
  std::erase_if(all, [&](const MonitoredInterface& other) { return other.ifname == object.ifname; });
  const auto place = std::ranges::upper_bound(all, object.ifname, interface_name_less, &MonitoredInterface::ifname);
  all.insert(place, object);
  return {};
}

Status unset_monitor(Config& config, const Values& values) {
  const std::string& ifname = values.text("interface");
  const size_t gone = std::erase_if(config.monitored, [&](const auto& object) { return object.ifname == ifname; });
  return gone == 0 ? fail("interface " + ifname + " is not monitored") : Status{};
}

Printed print_monitor(const Config& config) {
  Printed printed;
  for (const MonitoredInterface& object : config.monitored) {
    const bool standard = object.weight == MonitoredInterface{}.weight;
    printed.push_back({object.ifname, standard ? "" : std::to_string(object.weight)});
  }
  return printed;
}

// What a command leaves out stays as it is: `… interval 3`, then `… threshold 4`.
Status set_probe(Config& config, const Values& values) {
  HaLinkProbe probe = config.ha_link_probe.value_or(HaLinkProbe{});
  if (values.has("probe-interval")) probe.interval_s = static_cast<uint8_t>(values.number("probe-interval"));
  if (values.has("probe-threshold")) probe.threshold = static_cast<uint8_t>(values.number("probe-threshold"));
  config.ha_link_probe = probe;
  return {};
}

template <auto Member>
Status restore_in_probe(Config& config, const Values&) {
  if (!config.ha_link_probe) return fail("HA links are not probed; use \"set nsrp ha-link probe\" first");
  *config.ha_link_probe.*Member = HaLinkProbe{}.*Member;
  return {};
}

Printed print_probe(const Config& config) {
  if (!config.ha_link_probe) return {};
  const auto unless_standard = [](uint8_t value, uint8_t standard) {
    return value == standard ? "" : std::to_string(value);
  };
  const auto [interval, threshold] = *config.ha_link_probe;
  return {{unless_standard(interval, HaLinkProbe{}.interval_s), unless_standard(threshold, HaLinkProbe{}.threshold)}};
}

uint32_t mark_number(const std::string& word) {
  return static_cast<uint32_t>(std::stoul(word, nullptr, 16));
}

std::string mark_text(uint32_t mark) {
  std::ostringstream text;
  text << "0x" << std::hex << mark;
  return text.str();
}

Status set_no_backup(Config& config, const Values& values) {
  NoBackupMark mark{.value = mark_number(values.text("mark"))};
  if (values.has("mark-mask")) mark.mask = mark_number(values.text("mark-mask"));
  if (mark.mask == 0)
    return fail("with mask 0x0 every session would have the mark; use \"set nsrp rto-mirror session off\"");
  if ((mark.value & ~mark.mask) != 0) {
    return fail("no session has mark " + mark_text(mark.value) + " under mask " + mark_text(mark.mask) +
                "; the mark must lie within the mask");
  }
  config.rto_no_backup = mark;
  return {};
}

Printed print_no_backup(const Config& config) {
  if (!config.rto_no_backup) return {};
  const auto [value, mask] = *config.rto_no_backup;
  return {{mark_text(value), mask == NoBackupMark{}.mask ? "" : mark_text(mask)}};
}

constexpr Row kRows[] = {
    {"set nsrp cluster id <cluster-id>", CommandId::kSet,
     "Join a cluster, which creates VSD group 0; id 0 leaves the cluster", Propagation::kNever, set_cluster,
     print_cluster},
    {"unset nsrp cluster id", CommandId::kSet, "Leave the cluster", Propagation::kNever, restore<&Config::cluster>},
    {"set nsrp cluster name <name>", CommandId::kSet, "Name that all members share, e.g. for certificates and SNMP",
     Propagation::kAlways, assign<&Config::cluster_name>, shown<&Config::cluster_name>},
    {"unset nsrp cluster name", CommandId::kSet, "Remove the cluster's name", Propagation::kAlways,
     restore<&Config::cluster_name>},
    {"set nsrp arp <announcements>", CommandId::kSet, "How often a new master announces each of its VSIs",
     Propagation::kAlways, assign<&Config::arp>, shown<&Config::arp>},
    {"unset nsrp arp", CommandId::kSet, "Return to the default number of announcements", Propagation::kAlways,
     restore<&Config::arp>},
    {"set nsrp data-forwarding", CommandId::kSet,
     "Pass packets for a VSD mastered elsewhere over the HA data link (default: on)", Propagation::kAlways,
     assign_switch<&Config::data_forwarding, true>},
    {"unset nsrp data-forwarding", CommandId::kSet,
     "Drop packets for a VSD mastered elsewhere, and show its VSIs as down", Propagation::kAlways,
     assign_switch<&Config::data_forwarding, false>, shown<&Config::data_forwarding>},
    {"set nsrp fast-path", CommandId::kSet,
     "Forward packets of established TCP and UDP sessions in XDP, past the network stack (default: off)",
     Propagation::kAlways, assign_switch<&Config::fast_path, true>, shown<&Config::fast_path>},
    {"unset nsrp fast-path", CommandId::kSet, "Forward every packet through the network stack", Propagation::kAlways,
     assign_switch<&Config::fast_path, false>},
    {"set nsrp max-sessions <max-sessions>", CommandId::kSet,
     "How many sessions are recorded; takes effect at the next start of the daemon", Propagation::kAlways,
     assign<&Config::max_sessions>, shown<&Config::max_sessions>},
    {"unset nsrp max-sessions", CommandId::kSet, "Return to the default number of sessions", Propagation::kAlways,
     restore<&Config::max_sessions>},
    {"set nsrp rto-mirror sync", CommandId::kSet, "Mirror run-time objects (sessions) to the peer (default: off)",
     Propagation::kAlways, assign_switch<&Config::rto_sync, true>, shown<&Config::rto_sync>},
    {"unset nsrp rto-mirror sync", CommandId::kSet, "Stop mirroring run-time objects", Propagation::kAlways,
     assign_switch<&Config::rto_sync, false>},
    {"set nsrp rto-mirror hb-interval <rto-hb-interval>", CommandId::kSet, "Time between RTO heartbeats",
     Propagation::kAlways, assign<&Config::rto_hb_interval_s>, shown<&Config::rto_hb_interval_s>},
    {"unset nsrp rto-mirror hb-interval", CommandId::kSet, "Return to the default RTO heartbeat interval",
     Propagation::kAlways, restore<&Config::rto_hb_interval_s>},
    {"set nsrp rto-mirror hb-threshold <rto-hb-threshold>", CommandId::kSet,
     "RTO heartbeats that must be missed before the mirror is no longer active", Propagation::kAlways,
     assign<&Config::rto_hb_threshold>, shown<&Config::rto_hb_threshold>},
    {"unset nsrp rto-mirror hb-threshold", CommandId::kSet, "Return to the default RTO heartbeat threshold",
     Propagation::kAlways, restore<&Config::rto_hb_threshold>},
    {"set nsrp rto-mirror session off", CommandId::kSet,
     "Tell the peer of no session; the peer's are taken all the same", Propagation::kNever,
     assign_switch<&Config::rto_session_off, true>, shown<&Config::rto_session_off>},
    {"unset nsrp rto-mirror session off", CommandId::kSet, "Tell the peer of sessions again", Propagation::kNever,
     assign_switch<&Config::rto_session_off, false>},
    {"set nsrp rto-mirror session clear-on-inactive", CommandId::kSet,
     "End the sessions of a VSI here when it becomes inactive; those of its new master come back through the mirror",
     Propagation::kNever, assign_switch<&Config::rto_clear_on_inactive, true>, shown<&Config::rto_clear_on_inactive>},
    {"unset nsrp rto-mirror session clear-on-inactive", CommandId::kSet,
     "Keep the sessions of a VSI that becomes inactive (default)", Propagation::kNever,
     assign_switch<&Config::rto_clear_on_inactive, false>},
    {"set nsrp rto-mirror session no-backup mark <mark> [mask <mark-mask>]", CommandId::kSet,
     "Keep sessions with this conntrack mark on the device: the peer is told of none of them", Propagation::kAlways,
     set_no_backup, print_no_backup},
    {"unset nsrp rto-mirror session no-backup mark", CommandId::kSet, "Tell the peer of sessions whatever their mark",
     Propagation::kAlways, restore<&Config::rto_no_backup>},
    {"set nsrp ha-link probe [interval <probe-interval>] [threshold <probe-threshold>]", CommandId::kSet,
     "Probe every HA link, and take one whose probes go unanswered as down (default: off)", Propagation::kAlways,
     set_probe, print_probe},
    {"unset nsrp ha-link probe", CommandId::kSet, "Probe no HA link", Propagation::kAlways,
     restore<&Config::ha_link_probe>},
    {"unset nsrp ha-link probe interval", CommandId::kSet, "Return to the default probe interval", Propagation::kAlways,
     restore_in_probe<&HaLinkProbe::interval_s>},
    {"unset nsrp ha-link probe threshold", CommandId::kSet, "Return to the default number of unanswered probes",
     Propagation::kAlways, restore_in_probe<&HaLinkProbe::threshold>},
    {"set nsrp auth password <password>", CommandId::kSet,
     "Authenticate what members tell each other; the same password on all", Propagation::kNever,
     assign<&Config::auth_password>, shown<&Config::auth_password>},
    {"unset nsrp auth password", CommandId::kSet, "Authenticate nothing", Propagation::kNever,
     restore<&Config::auth_password>},
    {"set nsrp encrypt password <password>", CommandId::kSet,
     "Encrypt what members tell each other; the same password on all", Propagation::kNever,
     assign<&Config::encrypt_password>, shown<&Config::encrypt_password>},
    {"unset nsrp encrypt password", CommandId::kSet, "Encrypt nothing", Propagation::kNever,
     restore<&Config::encrypt_password>},
    {"set nsrp monitor interface <interface> [weight <weight>]", CommandId::kSet,
     "Fail over when the interface goes down; its weight adds up towards the threshold of 255", Propagation::kNever,
     set_monitor, print_monitor},
    {"unset nsrp monitor interface <interface>", CommandId::kSet, "Monitor the interface no longer",
     Propagation::kNever, unset_monitor},
};

}  // namespace

std::span<const Row> nsrp_rows() {
  return kRows;
}

}  // namespace nsrp::config
