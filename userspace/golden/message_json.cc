// SPDX-License-Identifier: Apache-2.0
// Heartbeats as JSON. What has its usual value is left out, so that a line shows what matters.
#include <stdexcept>

#include "golden/encoding.h"

namespace nsrp::golden {

using namespace core;

namespace {

int64_t us(Duration d) {
  return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
}
Duration from_us(const Json& json) {
  return std::chrono::microseconds(reckonable(json));
}

VsdState state_from(const std::string& word) {
  for (uint8_t value = 1; value <= 6; ++value) {
    if (to_string(static_cast<VsdState>(value)) == word) return static_cast<VsdState>(value);
  }
  throw std::invalid_argument("no VSD state is called '" + word + "'");
}

Json advert_json(const VsdAdvert& advert) {
  Json json{{"vsd", advert.vsd.value}, {"state", to_string(advert.state)}, {"priority", advert.priority}};
  if (advert.wants_master) json["wants_master"] = true;
  if (advert.in_sync) json["in_sync"] = true;
  if (advert.ready) json["ready"] = true;
  json["term"] = advert.term;
  if (advert.handed_to != UnitId{}) json["handed_to"] = encode(advert.handed_to);
  if (advert.follows != UnitId{}) json["follows"] = encode(advert.follows);
  if (advert.handing_to != UnitId{}) json["handing_to"] = encode(advert.handing_to);
  return json;
}

VsdAdvert advert_from(const Json& json) {
  VsdAdvert advert{.vsd = VsdId{json.at("vsd").get<uint8_t>()},
                   .state = state_from(json.at("state").get<std::string>()),
                   .priority = json.at("priority").get<uint8_t>(),
                   .wants_master = json.value("wants_master", false),
                   .in_sync = json.value("in_sync", false),
                   .ready = json.value("ready", false),
                   .term = json.at("term").get<uint64_t>()};
  if (json.contains("handed_to")) advert.handed_to = unit_from(json["handed_to"]);
  if (json.contains("follows")) advert.follows = unit_from(json["follows"]);
  if (json.contains("handing_to")) advert.handing_to = unit_from(json["handing_to"]);
  return advert;
}

Json hearing_json(const Hearing& hearing) {
  Json json{{"unit", encode(hearing.unit)},
            {"epoch", hearing.epoch},
            {"sequence", hearing.sequence},
            {"silence_us", us(hearing.silence)}};
  if (hearing.forgiven.count() != 0) json["forgiven_us"] = us(hearing.forgiven);
  json["links"] = encode(hearing.links);
  if (hearing.relayed) json["relayed"] = true;
  return json;
}

Hearing hearing_from(const Json& json) {
  Hearing hearing{.unit = unit_from(json.at("unit")),
                  .epoch = json.at("epoch").get<uint32_t>(),
                  .sequence = json.at("sequence").get<uint32_t>(),
                  .silence = from_us(json.at("silence_us"))};
  if (json.contains("forgiven_us")) hearing.forgiven = from_us(json["forgiven_us"]);
  hearing.links = links_from(json.at("links"));
  hearing.relayed = json.value("relayed", false);
  return hearing;
}

}  // namespace

Json encode(UnitId unit) {
  return to_string(unit);
}

UnitId unit_from(const Json& json) {
  return UnitId{std::stoull(json.get<std::string>(), nullptr, 16)};
}

Json encode(const LinkSet& links) {
  Json json = Json::array();
  for (size_t link = 0; link < links.size(); ++link) {
    if (links[link]) json.push_back(link);
  }
  return json;
}

LinkSet links_from(const Json& json) {
  LinkSet links;
  for (const Json& link : json) links.set(link.get<size_t>());
  return links;
}

Json encode(const Heartbeat& heartbeat) {
  Json json{{"unit", encode(heartbeat.unit)},
            {"boot_epoch", heartbeat.boot_epoch},
            {"sequence", heartbeat.sequence},
            {"hb_interval_ms", heartbeat.hb_interval.count()},
            {"hb_threshold", heartbeat.hb_threshold}};
  if (heartbeat.leaving) json["leaving"] = true;
  if (heartbeat.rto_enabled) json["rto_enabled"] = true;
  if (heartbeat.rto_peer != UnitId{}) json["rto_peer"] = encode(heartbeat.rto_peer);
  if (heartbeat.clears != 0) json["clears"] = heartbeat.clears;
  json["vsds"] = Json::array();
  for (const VsdAdvert& advert : heartbeat.vsds) json["vsds"].push_back(advert_json(advert));
  json["heard"] = Json::array();
  for (const Hearing& hearing : heartbeat.heard) json["heard"].push_back(hearing_json(hearing));
  return json;
}

Heartbeat heartbeat_from(const Json& json) {
  Heartbeat heartbeat{.unit = unit_from(json.at("unit")),
                      .boot_epoch = json.at("boot_epoch").get<uint64_t>(),
                      .sequence = json.at("sequence").get<uint64_t>(),
                      .hb_interval = milliseconds(json.at("hb_interval_ms").get<int64_t>()),
                      .hb_threshold = json.at("hb_threshold").get<uint8_t>(),
                      .leaving = json.value("leaving", false),
                      .rto_enabled = json.value("rto_enabled", false)};
  if (json.contains("rto_peer")) heartbeat.rto_peer = unit_from(json["rto_peer"]);
  heartbeat.clears = json.value("clears", uint16_t{0});
  for (const Json& advert : json.at("vsds")) heartbeat.vsds.push_back(advert_from(advert));
  for (const Json& hearing : json.at("heard")) heartbeat.heard.push_back(hearing_from(hearing));
  return heartbeat;
}

}  // namespace nsrp::golden
