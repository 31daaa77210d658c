// SPDX-License-Identifier: Apache-2.0
// A Member's settings, and how it was made, as JSON.
#include "golden/encoding.h"

namespace nsrp::golden {

using namespace core;

namespace {

Json vsd_json(const VsdSettings& vsd) {
  return {{"id", vsd.id.value},
          {"priority", vsd.priority},
          {"preempt", vsd.preempt},
          {"hold_down_s", vsd.hold_down.count()},
          {"ineligible", vsd.ineligible}};
}

VsdSettings vsd_from(const Json& json) {
  return {.id = VsdId{json.at("id").get<uint8_t>()},
          .priority = json.at("priority").get<uint8_t>(),
          .preempt = json.at("preempt").get<bool>(),
          .hold_down = seconds(json.at("hold_down_s").get<int64_t>()),
          .ineligible = json.at("ineligible").get<bool>()};
}

}  // namespace

Json encode(const MemberSettings& settings) {
  Json json{{"unit", encode(settings.unit)},
            {"hb_interval_ms", settings.hb_interval.count()},
            {"hb_threshold", settings.hb_threshold},
            {"init_hold", settings.init_hold},
            {"announce_count", settings.announce_count},
            {"master_always_exist", settings.master_always_exist},
            {"sync_required", settings.sync_required}};
  if (settings.probe) {
    json["probe"] = {{"interval_s", settings.probe->interval.count()}, {"threshold", settings.probe->threshold}};
  }
  json["vsds"] = Json::array();
  for (const VsdSettings& vsd : settings.vsds) json["vsds"].push_back(vsd_json(vsd));
  return json;
}

MemberSettings settings_from(const Json& json) {
  MemberSettings settings{.unit = unit_from(json.at("unit")),
                          .hb_interval = milliseconds(json.at("hb_interval_ms").get<int64_t>()),
                          .hb_threshold = json.at("hb_threshold").get<uint8_t>(),
                          .init_hold = json.at("init_hold").get<uint8_t>(),
                          .announce_count = json.at("announce_count").get<uint8_t>(),
                          .master_always_exist = json.at("master_always_exist").get<bool>(),
                          .sync_required = json.at("sync_required").get<bool>()};
  if (json.contains("probe")) {
    const Json& probe = json["probe"];
    settings.probe = ProbeSettings{.interval = seconds(probe.at("interval_s").get<int64_t>()),
                                   .threshold = probe.at("threshold").get<uint8_t>()};
  }
  for (const Json& vsd : json.at("vsds")) settings.vsds.push_back(vsd_from(vsd));
  return settings;
}

Json encode(const Beginning& beginning) {
  Json json{{"description", beginning.description},
            {"boot_epoch", beginning.boot_epoch},
            {"settings", encode(beginning.settings)}};
  json["adopted"] = Json::array();
  for (const AdoptedLease& lease : beginning.adopted) {
    json["adopted"].push_back(
        {{"vsd", lease.vsd.value}, {"until_ns", (lease.until - beginning.created).count()}, {"term", lease.term}});
  }
  return json;
}

Beginning beginning_from(const Json& json) {
  Beginning beginning{.description = json.at("description").get<std::string>(),
                      .settings = settings_from(json.at("settings")),
                      .created = kOrigin,
                      .boot_epoch = json.at("boot_epoch").get<uint64_t>()};
  for (const Json& lease : json.at("adopted")) {
    beginning.adopted.push_back({.vsd = VsdId{lease.at("vsd").get<uint8_t>()},
                                 .until = kOrigin + Duration(reckonable(lease.at("until_ns"))),
                                 .term = lease.at("term").get<uint64_t>()});
  }
  return beginning;
}

}  // namespace nsrp::golden
