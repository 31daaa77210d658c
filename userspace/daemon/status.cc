// SPDX-License-Identifier: Apache-2.0
#include "daemon/status.h"

#include <algorithm>
#include <set>

namespace nsrp::daemon {

namespace {

int64_t age_ms(Instant now, Instant then) {
  return then == Instant{} ? -1 : to_ms(now - then);
}

// Manual ch. 1, the HA LED.
std::string led(const StatusSource& source) {
  if (!source.control.active) return "dark";
  const auto any = [&](core::VsdState state) {
    return std::any_of(source.control.vsds.begin(), source.control.vsds.end(),
                       [state](const core::VsdView& vsd) { return vsd.state == state; });
  };
  if (any(core::VsdState::kInoperable)) return "red";
  return any(core::VsdState::kMaster) ? "green" : "yellow";
}

Json members_of(const StatusSource& source, const core::VsdView& vsd) {
  Json members = Json::array();
  members.push_back({{"unit_id", to_string(source.unit)},
                     {"local", true},
                     {"state", core::to_string(vsd.state)},
                     {"priority", vsd.settings.priority},
                     {"alive", true}});
  for (const core::PeerView& peer : source.control.peers) {
    for (const core::VsdAdvert& advert : peer.last.vsds) {
      if (advert.vsd != vsd.settings.id) continue;
      members.push_back({{"unit_id", to_string(peer.unit)},
                         {"local", false},
                         {"state", core::to_string(advert.state)},
                         {"priority", advert.priority},
                         {"alive", peer.alive},
                         {"last_heard_ms", age_ms(source.now, peer.last_heard)}});
    }
  }
  return members;
}

std::string name_of(const StatusSource& source, core::LinkIndex index) {
  const auto view = source.control.links.find(index);
  if (view != source.control.links.end() && !view->second.facts.name.empty()) return view->second.facts.name;
  return "link " + std::to_string(index.value);
}

int64_t microseconds_of(Duration duration) {
  return duration.count() / 1000;
}

Json peers_json(const StatusSource& source) {
  Json peers = Json::array();
  for (const core::PeerView& peer : source.control.peers) {
    Json ages = Json::object(), links = Json::array();
    for (const auto& [index, on_link] : peer.links) {
      const std::string name = name_of(source, index);
      ages[name] = age_ms(source.now, on_link.last_heard);
      links.push_back({{"ifname", name},
                       {"last_heard_ms", age_ms(source.now, on_link.last_heard)},
                       {"heartbeats", on_link.heartbeats},
                       {"missed", on_link.missed},
                       {"jitter_us", microseconds_of(on_link.jitter)},
                       {"both_ways", on_link.both_ways}});
    }
    peers.push_back({{"unit_id", to_string(peer.unit)},
                     {"alive", peer.alive},
                     {"last_heard_ms", age_ms(source.now, peer.last_heard)},
                     {"heartbeats", peer.heartbeats},
                     {"missed", peer.missed},
                     {"jitter_us", microseconds_of(peer.jitter)},
                     {"last_heard_ms_by_link", ages},
                     {"links", links}});
  }
  return peers;
}

Json problems_json(const StatusSource& source) {
  Json problems = Json::array();
  for (const FrameProblem& problem : source.control.problems) {
    problems.push_back({{"from", problem.who},
                        {"cause", wire::to_string(problem.cause)},
                        {"text", problem.text},
                        {"frames", problem.count},
                        {"since_ms", age_ms(source.now, problem.first)},
                        {"last_ms", age_ms(source.now, problem.last)}});
  }
  return problems;
}

// While passwords are being changed: who does not use the newest yet.
Json key_change_json(const ControlView& view) {
  if (!view.key_change) return nullptr;
  Json units = Json::array();
  for (const UnitId unit : view.key_change_waits_for) units.push_back(to_string(unit));
  return {{"waits_for", units}};
}

// Manual ch. 1, "VSD Group Member States": of equal priorities the higher unit id wins.
bool has_equal_priorities(const Json& members) {
  std::set<int> seen;
  for (const Json& member : members) {
    if (member.at("alive").get<bool>() && !seen.insert(member.at("priority").get<int>()).second) return true;
  }
  return false;
}

Json frames_json(const ControlView& view) {
  Json frames = {{"sent", view.frames_sent},
                 {"send_errors", view.send_errors},
                 {"received", view.frames_received},
                 {"worst_timer_lateness_us", view.worst_lateness.count() / 1000}};
  for (size_t i = 0; i < view.drops.size(); ++i) {
    frames["dropped"][std::string(wire::to_string(static_cast<wire::Drop>(i)))] = view.drops[i];
  }
  return frames;
}

std::string vsi_state(const StatusSource& source, VsdId vsd) {
  for (const core::VsdView& view : source.control.vsds) {
    if (view.settings.id == vsd && view.state == core::VsdState::kMaster) return "active";
  }
  // Manual ch. 1, "Dynamic Routing Advisory".
  return source.config.data_forwarding ? "inactive" : "down";
}

}  // namespace

namespace {

Json link_json(const StatusSource& source, core::LinkIndex index, const std::string& name) {
  const bool control = source.control.control == index, data = source.control.data == index;
  const auto link = source.links.find(name);
  const auto found = source.control.links.find(index);
  const core::LinkView view = found == source.control.links.end() ? core::LinkView{} : found->second;
  return {{"ifname", name},
          {"role", control && data ? "control+data"
                   : control       ? "control"
                   : data          ? "data"
                                   : "none"},
          {"up", view.alive},
          {"cause", link == source.links.end() ? "there is no such interface" : view.cause},
          {"carrier", link != source.links.end() && link->second.carrier},
          {"speed_mbps", link == source.links.end() ? 0 : link->second.speed_mbps},
          {"zone_ha", index < core::kControlInterface},
          {"probes_sent", view.probes_sent},
          {"probes_answered", view.probes_answered},
          {"probes_unanswered", view.probes_unanswered},
          {"xdp", kernel::to_string(source.applier.xdp_mode(name))}};
}

}  // namespace

// The links in zone ha, then the control interface.
Json ha_links_json(const StatusSource& source) {
  Json links = Json::array();
  for (const auto& [index, name] : link_names(source.config)) {
    if (index != core::kSecondaryPath) links.push_back(link_json(source, index, name));
  }
  return links;
}

std::string protection_of(const ControlView& view) {
  if (!view.keys) return "none";
  return view.keys->protection() == wire::Protection::kEncrypted ? "encrypted" : "authenticated";
}

namespace {

// Why first packets of sessions that were held have left.
Json deferred_json(const DeferView& defer, VsdId vsd) {
  const auto released = defer.released.find(vsd);
  const rto::ReleaseCounts counts = released == defer.released.end() ? rto::ReleaseCounts{} : released->second;
  Json json = Json::object();
  for (size_t why = 0; why < counts.size(); ++why) {
    json[std::string(rto::to_string(static_cast<rto::Release>(why)))] = counts.at(why);
  }
  const auto unsent = defer.unsent.find(vsd);
  json["unsent"] = unsent == defer.unsent.end() ? 0 : unsent->second;
  return json;
}

}  // namespace

Json vsd_groups_json(const StatusSource& source) {
  Json groups = Json::array();
  for (const core::VsdView& vsd : source.control.vsds) {
    const Json members = members_of(source, vsd);
    const auto group = source.config.vsd_groups.find(vsd.settings.id);
    const milliseconds defer = group == source.config.vsd_groups.end() ? milliseconds(0) : group->second.defer;
    groups.push_back({{"id", vsd.settings.id.value},
                      {"state", core::to_string(vsd.state)},
                      {"priority", vsd.settings.priority},
                      {"preempt", vsd.settings.preempt},
                      {"hold_down_s", vsd.settings.hold_down.count()},
                      {"term", vsd.term},
                      {"since_ms", age_ms(source.now, vsd.since)},
                      {"cause", vsd.cause},
                      {"equal_priority", has_equal_priorities(members)},
                      {"defer_ms", defer.count()},
                      {"deferred", deferred_json(source.defer, vsd.settings.id)},
                      {"members", members}});
  }
  return groups;
}

Json rto_classes_json(const rto::MirrorView& mirror) {
  Json classes = Json::array();
  for (const rto::ObjectView& each : mirror.objects) {
    classes.push_back({{"name", each.name},
                       {"objects", each.here},
                       {"held_for_peer", each.held},
                       {"in_sync", each.in_sync},
                       {"sent", each.sent},
                       {"received", each.received},
                       {"ended", each.ended},
                       {"refused", each.refused}});
  }
  return classes;
}

Json rto_mirror_json(const StatusSource& source) {
  const auto& no_backup = source.config.rto_no_backup;
  const rto::MirrorView& mirror = source.rto.mirror;
  return {{"sync", source.config.rto_sync},
          {"state", rto::to_string(mirror.state)},
          {"in_sync", mirror.in_sync},
          {"sessions", source.rto.sessions},
          {"peer", mirror.peer.value == 0 ? "" : to_string(mirror.peer)},
          {"sent", mirror.sent},
          {"received", mirror.received},
          {"ended", mirror.ended},
          {"pending", mirror.pending},
          {"cold_sync_total", mirror.cold_sync_total},
          {"cold_sync_received", mirror.cold_sync_received},
          {"missing", mirror.missing},
          {"refused", mirror.refused},
          {"failed", mirror.failed},
          {"not_installable", source.rto.not_installable},
          {"unsendable", mirror.unsendable},
          {"hb_interval_s", source.config.rto_hb_interval_s},
          {"hb_threshold", source.config.rto_hb_threshold},
          {"session_off", source.config.rto_session_off},
          {"clear_on_inactive", source.config.rto_clear_on_inactive},
          {"no_backup_mark", no_backup ? Json{{"value", no_backup->value}, {"mask", no_backup->mask}} : Json(nullptr)},
          {"classes", rto_classes_json(mirror)}};
}

// In sum, and for each direction: the peer's sessions here, and this device's at the peer.
Json rto_audit_json(const StatusSource& source) {
  const auto of = [&](const rto::AuditView& audit) {
    return Json{{"rounds", audit.rounds},
                {"compared", audit.compared},
                {"differing", audit.differing},
                {"repaired", audit.repaired},
                {"oldest_unaudited_ms", audit.oldest ? Json(to_ms(source.now - *audit.oldest)) : Json(nullptr)}};
  };
  const rto::AuditView &here = source.rto.mirror.audit_here, &there = source.rto.mirror.audit_there;
  rto::AuditView sum{here.rounds + there.rounds, here.compared + there.compared, here.differing + there.differing,
                     here.repaired + there.repaired, here.oldest};
  if (there.oldest && (!sum.oldest || *there.oldest < *sum.oldest)) sum.oldest = there.oldest;
  Json audit = of(sum);
  audit["held_for_peer"] = of(here);
  audit["at_peer"] = of(there);
  return audit;
}

Json monitor_json(const StatusSource& source) {
  Json objects = Json::array();
  for (const config::MonitoredInterface& each : source.config.monitored) {
    const auto link = source.links.find(each.ifname);
    objects.push_back({{"interface", each.ifname},
                       {"weight", each.weight},
                       {"up", link != source.links.end() && link->second.carrier}});
  }
  return {{"device", {{"sum", source.monitor_sum}, {"threshold", source.monitor_threshold}, {"objects", objects}}}};
}

Json transparent_json(const StatusSource& source) {
  Json ports = Json::array();
  for (const config::Interface* interface : config::interfaces_in_order(source.config)) {
    if (interface->is_transparent()) ports.push_back(interface->name);
  }
  if (ports.empty()) return nullptr;
  const bool open = vsi_state(source, VsdId{0}) == "active";
  return {{"bridge", config::kTransparentDevice}, {"state", open ? "open" : "closed"}, {"ports", ports}};
}

Json nsrp_json(const StatusSource& source) {
  const config::Config& config = source.config;
  Json json = {{"unit_id", to_string(source.unit)},
               {"hostname", source.hostname},
               {"cluster", {{"id", config.cluster.value}, {"name", config.cluster_name}}},
               {"led", led(source)},
               {"hb_interval_ms", config.hb_interval.count()},
               {"hb_threshold", config.hb_threshold},
               {"init_hold", config.init_hold},
               {"master_always_exist", config.master_always_exist},
               {"arp", config.arp},
               {"data_forwarding", config.data_forwarding},
               {"fast_path", {{"tcp", source.fast_path.tcp}, {"udp", source.fast_path.udp}}},
               {"transparent", transparent_json(source)},
               {"vsd_groups", vsd_groups_json(source)},
               {"ha_links", ha_links_json(source)},
               {"secondary_path", config.secondary_path},
               {"protection", protection_of(source.control)},
               {"key_change", key_change_json(source.control)},
               {"problems", problems_json(source)},
               {"peers", peers_json(source)},
               {"frames", frames_json(source.control)},
               {"rto_mirror", rto_mirror_json(source)},
               {"monitor", monitor_json(source)}};
  if (!config.secondary_path.empty()) {
    json["secondary_path_link"] = link_json(source, core::kSecondaryPath, config.secondary_path);
  }
  if (const auto& probe = config.ha_link_probe) {
    json["ha_link_probe"] = {{"interval_s", probe->interval_s}, {"threshold", probe->threshold}};
  }
  json["config_in_sync"] = source.config_in_sync ? Json(*source.config_in_sync) : Json(nullptr);
  return json;
}

Json interfaces_json(const StatusSource& source) {
  Json list = Json::array();
  const Json transparent = transparent_json(source);
  const std::vector<config::Vsi> vsis = config::vsis_of(source.config);
  for (const auto& [name, interface] : source.config.interfaces) {
    const auto link = source.links.find(name);
    Json entry = {{"name", name},
                  {"zone", interface.zone},
                  {"present", link != source.links.end()},
                  {"carrier", link != source.links.end() && link->second.carrier},
                  {"mac", link == source.links.end() ? "" : to_string(link->second.mac)},
                  {"xdp", kernel::to_string(source.applier.xdp_mode(name))},
                  {"manage_ip", Json::array()},
                  {"vsis", Json::array()}};
    if (interface.is_transparent()) entry["port"] = {{"of", transparent["bridge"]}, {"state", transparent["state"]}};
    for (const IpAddress& manage : interface.manage_ips) entry["manage_ip"].push_back(to_string(manage));
    for (const config::Vsi& vsi : vsis) {
      if (vsi.ifname != name) continue;
      Json addresses = Json::array();
      for (const Prefix& prefix : vsi.addresses) addresses.push_back(to_string(prefix));
      entry["vsis"].push_back({{"name", vsi.name()},
                               {"vsd", vsi.vsd.value},
                               {"state", vsi_state(source, vsi.vsd)},
                               {"mac", to_string(vsi.vmac)},
                               {"vid", vsi.vid.value},
                               {"addresses", addresses}});
    }
    if (entry["vsis"].empty()) {
      Json local = Json::array();
      for (const auto& [vsd, prefixes] : interface.addresses) {
        for (const Prefix& prefix : prefixes) local.push_back(to_string(prefix));
      }
      entry["addresses"] = local;
    }
    list.push_back(entry);
  }
  return list;
}

}  // namespace nsrp::daemon
