// SPDX-License-Identifier: Apache-2.0
#include "daemon/status.h"

#include <algorithm>

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

Json peers_json(const StatusSource& source) {
  Json peers = Json::array();
  const std::vector<std::string> names = config::ha_interfaces_of(source.config);
  for (const core::PeerView& peer : source.control.peers) {
    Json links = Json::object();
    for (const auto& [index, on_link] : peer.links) {
      const std::string name = index.value < names.size() ? names[index.value] : source.config.secondary_path;
      links[name] = age_ms(source.now, on_link.last_heard);
    }
    peers.push_back({{"unit_id", to_string(peer.unit)},
                     {"alive", peer.alive},
                     {"last_heard_ms", age_ms(source.now, peer.last_heard)},
                     {"heartbeats", peer.heartbeats},
                     {"missed", peer.missed},
                     {"last_heard_ms_by_link", links}});
  }
  return peers;
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

Json ha_links_json(const StatusSource& source) {
  Json links = Json::array();
  const std::vector<std::string> names = config::ha_interfaces_of(source.config);
  for (size_t i = 0; i < names.size(); ++i) {
    const core::LinkIndex index{static_cast<uint8_t>(i)};
    const bool control = source.control.control == index, data = source.control.data == index;
    const auto link = source.links.find(names[i]);
    const auto view = source.control.links.find(index);
    const bool carrier = link != source.links.end() && link->second.carrier;
    links.push_back({{"ifname", names[i]},
                     {"role", control && data ? "control+data"
                              : control       ? "control"
                              : data          ? "data"
                                              : "none"},
                     {"up", view != source.control.links.end() && view->second.alive},
                     {"carrier", carrier},
                     {"speed_mbps", link == source.links.end() ? 0 : link->second.speed_mbps},
                     {"xdp", kernel::to_string(source.applier.xdp_mode(names[i]))}});
  }
  return links;
}

Json vsd_groups_json(const StatusSource& source) {
  Json groups = Json::array();
  for (const core::VsdView& vsd : source.control.vsds) {
    groups.push_back({{"id", vsd.settings.id.value},
                      {"state", core::to_string(vsd.state)},
                      {"priority", vsd.settings.priority},
                      {"preempt", vsd.settings.preempt},
                      {"hold_down_s", vsd.settings.hold_down.count()},
                      {"term", vsd.term},
                      {"since_ms", age_ms(source.now, vsd.since)},
                      {"cause", vsd.cause},
                      {"members", members_of(source, vsd)}});
  }
  return groups;
}

Json rto_mirror_json(const StatusSource& source) {
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
          {"cold_sync_received", mirror.cold_sync_received}};
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
               {"vsd_groups", vsd_groups_json(source)},
               {"ha_links", ha_links_json(source)},
               {"secondary_path", config.secondary_path},
               {"peers", peers_json(source)},
               {"frames", frames_json(source.control)},
               {"rto_mirror", rto_mirror_json(source)},
               {"monitor", monitor_json(source)}};
  json["config_in_sync"] = source.config_in_sync ? Json(*source.config_in_sync) : Json(nullptr);
  return json;
}

Json interfaces_json(const StatusSource& source) {
  Json list = Json::array();
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
