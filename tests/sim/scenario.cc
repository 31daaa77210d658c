// SPDX-License-Identifier: Apache-2.0
#include "sim/scenario.h"

#include <nlohmann/json.hpp>

namespace nsrp::sim {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::array<const char*, 26> kWords{
    "start",     "kill",     "power_off", "pause",   "stop_machine", "resume", "leave", "cut",          "cut_unicast",
    "heal",      "heal_all", "clog",      "carrier", "command",      "health", "sync",  "probe",        "interval",
    "threshold", "priority", "preempt",   "barrier", "loss",         "calm",   "check", "strike_master"};

Json links_json(LinkSet links) {
  Json json = Json::array();
  for (size_t l = 0; l < links.size(); ++l) {
    if (links[l]) json.push_back(l);
  }
  return json;
}

Json node_json(const NodeSetup& node) {
  const MemberSettings& s = node.settings;
  Json json{{"hb_interval_ms", s.hb_interval.count()},
            {"hb_threshold", s.hb_threshold},
            {"init_hold", s.init_hold},
            {"announce_count", s.announce_count},
            {"master_always_exist", s.master_always_exist},
            {"sync_required", s.sync_required},
            {"in_sync", node.in_sync},
            {"links", links_json(node.links)},
            {"clock_ppm", node.clock_ppm}};
  if (s.probe) json["probe"] = {{"interval_s", s.probe->interval.count()}, {"threshold", s.probe->threshold}};
  for (const core::VsdSettings& vsd : s.vsds) {
    json["vsds"].push_back({{"id", vsd.id.value},
                            {"priority", vsd.priority},
                            {"preempt", vsd.preempt},
                            {"hold_down_s", vsd.hold_down.count()}});
  }
  return json;
}

Json weather_json(const Weather& w) {
  return {{"delay_us", w.delay.count() / 1000}, {"jitter_us", w.jitter.count() / 1000},
          {"late_permille", w.late_permille},   {"late_us", w.late.count() / 1000},
          {"loss_permille", w.loss_permille},   {"duplicate_permille", w.duplicate_permille},
          {"stall_permille", w.stall_permille}, {"stall_us", w.stall.count() / 1000}};
}

Json event_json(const Event& e) {
  Json json{{"at_us", e.at.count() / 1000}, {"event", to_string(e.what)}};
  const bool path =
      e.what == What::kCut || e.what == What::kCutUnicast || e.what == What::kHeal || e.what == What::kClog;
  const bool cluster = e.what == What::kHealAll || e.what == What::kCalm || e.what == What::kCheck ||
                       e.what == What::kLoss || e.what == What::kStrikeMaster;
  if (!cluster) json["node"] = e.node;
  if (path) json["to"] = e.other;
  if (e.links.any()) json["links"] = links_json(e.links);
  if (e.what == What::kCommand || e.what == What::kHealth || e.what == What::kPriority || e.what == What::kPreempt ||
      e.what == What::kStrikeMaster) {
    json["vsd"] = e.vsd == kDevice ? Json("device") : Json(e.vsd);
  }
  if (e.what == What::kCommand) {
    constexpr std::array<const char*, 5> kModes{"master", "backup", "pb", "init", "ineligible"};
    json["mode"] = kModes[static_cast<size_t>(e.value)];
  } else if (e.value != 0 || e.what >= What::kCarrier) {
    json["value"] = e.value;
  }
  return json;
}

}  // namespace

const char* to_string(What what) {
  return kWords[static_cast<size_t>(what)];
}

std::string to_lines(const Scenario& scenario) {
  Json head{{"seed", scenario.seed}, {"network", weather_json(scenario.weather)}, {"nodes", Json::array()}};
  for (const NodeSetup& node : scenario.nodes) head["nodes"].push_back(node_json(node));
  std::string lines = head.dump() + "\n";
  for (const Event& event : scenario.events) lines += event_json(event).dump() + "\n";
  return lines;
}

}  // namespace nsrp::sim
