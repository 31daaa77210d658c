// SPDX-License-Identifier: Apache-2.0
// Inputs: told to a Member, and as JSON.
#include <array>
#include <stdexcept>

#include "golden/encoding.h"

namespace nsrp::golden {

using namespace core;

namespace {

constexpr std::array<std::pair<ModeCommand, const char*>, 5> kModes{{{ModeCommand::kMaster, "master"},
                                                                     {ModeCommand::kBackup, "backup"},
                                                                     {ModeCommand::kPrimaryBackup, "pb"},
                                                                     {ModeCommand::kInitial, "init"},
                                                                     {ModeCommand::kIneligible, "ineligible"}}};

struct Teller {
  Member& member;
  Instant now;

  Result<Actions> operator()(const Start&) { return member.start(now); }
  Result<Actions> operator()(const HeartbeatIn& in) {
    return member.on_heartbeat(now, in.link, in.sent_on, in.heartbeat);
  }
  Result<Actions> operator()(const LinkIn& in) { return member.on_link(now, in.link, in.facts); }
  Result<Actions> operator()(const SyncIn& in) { return member.on_sync(now, in.in_sync, in.rto_peer); }
  Result<Actions> operator()(const HealthIn& in) { return member.on_health(now, in.vsd, in.operable, in.reason); }
  Result<Actions> operator()(const BarrierDone& in) { return member.on_barrier_done(now, in.vsd); }
  Result<Actions> operator()(const ProbeAnswer& in) { return member.on_probe_answer(now, in.link, in.id); }
  Result<Actions> operator()(const ProbeCommand& in) { return member.on_probe_command(now, in.link, in.to, in.count); }
  Result<Actions> operator()(const SettingsIn& in) { return member.on_settings(now, in.settings); }
  Result<Actions> operator()(const Command& in) { return member.on_command(now, in.vsd, in.mode); }
  Result<Actions> operator()(const ClearCommand&) { return member.on_clear_command(now); }
  Result<Actions> operator()(const Leave&) { return member.begin_leave(now); }
  Result<Actions> operator()(const Time&) { return member.on_time(now); }
};

struct Writer {
  Json operator()(const Start&) { return {{"start", Json::object()}}; }
  Json operator()(const HeartbeatIn& in) {
    return {{"heartbeat", {{"link", in.link.value}, {"sent_on", in.sent_on.value}, {"says", encode(in.heartbeat)}}}};
  }
  Json operator()(const LinkIn& in) {
    return {{"link",
             {{"link", in.link.value},
              {"present", in.facts.present},
              {"carrier", in.facts.carrier},
              {"speed_mbps", in.facts.speed_mbps},
              {"name", in.facts.name}}}};
  }
  Json operator()(const SyncIn& in) { return {{"sync", {{"in_sync", in.in_sync}, {"rto_peer", encode(in.rto_peer)}}}}; }
  Json operator()(const HealthIn& in) {
    Json json{{"operable", in.operable}, {"reason", in.reason}};
    if (in.vsd) json["vsd"] = in.vsd->value;
    return {{"health", json}};
  }
  Json operator()(const BarrierDone& in) { return {{"barrier_done", {{"vsd", in.vsd.value}}}}; }
  Json operator()(const ProbeAnswer& in) { return {{"probe_answer", {{"link", in.link.value}, {"id", in.id}}}}; }
  Json operator()(const ProbeCommand& in) {
    Json json{{"link", in.link.value}, {"count", in.count}};
    if (in.to) json["to"] = to_string(*in.to);
    return {{"probe_command", json}};
  }
  Json operator()(const SettingsIn& in) { return {{"settings", encode(in.settings)}}; }
  Json operator()(const Command& in) {
    const auto* mode = kModes.begin();
    while (mode->first != in.mode) ++mode;
    return {{"command", {{"vsd", in.vsd.value}, {"mode", mode->second}}}};
  }
  Json operator()(const ClearCommand&) { return {{"clear_command", Json::object()}}; }
  Json operator()(const Leave&) { return {{"leave", Json::object()}}; }
  Json operator()(const Time&) { return {{"time", Json::object()}}; }
};

LinkIndex link_from(const Json& json, const char* key) {
  return LinkIndex{json.at(key).get<uint8_t>()};
}
VsdId vsd_from(const Json& json) {
  return VsdId{json.at("vsd").get<uint8_t>()};
}

ModeCommand mode_from(const std::string& word) {
  for (const auto& [mode, name] : kModes) {
    if (word == name) return mode;
  }
  throw std::invalid_argument("no mode is called '" + word + "'");
}

Input link_input(const Json& json) {
  return LinkIn{link_from(json, "link"),
                {.present = json.at("present").get<bool>(),
                 .carrier = json.at("carrier").get<bool>(),
                 .speed_mbps = json.at("speed_mbps").get<uint32_t>(),
                 .name = json.at("name").get<std::string>()}};
}

Input health_input(const Json& json) {
  HealthIn in{std::nullopt, json.at("operable").get<bool>(), json.at("reason").get<std::string>()};
  if (json.contains("vsd")) in.vsd = vsd_from(json);
  return in;
}

Input probe_command(const Json& json) {
  ProbeCommand in{link_from(json, "link"), std::nullopt, json.at("count").get<uint8_t>()};
  if (json.contains("to")) {
    const Result<MacAddress> mac = MacAddress::parse(json["to"].get<std::string>());
    if (!mac) throw std::invalid_argument(mac.error().message);
    in.to = *mac;
  }
  return in;
}

}  // namespace

Result<Actions> apply(Member& member, Instant now, const Input& input) {
  return std::visit(Teller{member, now}, input);
}

Json encode(const Input& input) {
  return std::visit(Writer{}, input);
}

Input input_from(const Json& json) {
  if (json.size() != 1) throw std::invalid_argument("a step has one input");
  const std::string kind = json.begin().key();
  const Json& in = json.begin().value();
  if (kind == "start") return Start{};
  if (kind == "heartbeat") {
    return HeartbeatIn{link_from(in, "link"), link_from(in, "sent_on"), heartbeat_from(in.at("says"))};
  }
  if (kind == "link") return link_input(in);
  if (kind == "sync") return SyncIn{in.at("in_sync").get<bool>(), unit_from(in.at("rto_peer"))};
  if (kind == "health") return health_input(in);
  if (kind == "barrier_done") return BarrierDone{vsd_from(in)};
  if (kind == "probe_answer") return ProbeAnswer{link_from(in, "link"), in.at("id").get<uint64_t>()};
  if (kind == "probe_command") return probe_command(in);
  if (kind == "settings") return SettingsIn{settings_from(in)};
  if (kind == "command") return Command{vsd_from(in), mode_from(in.at("mode").get<std::string>())};
  if (kind == "clear_command") return ClearCommand{};
  if (kind == "leave") return Leave{};
  if (kind == "time") return Time{};
  throw std::invalid_argument("no input is called '" + kind + "'");
}

}  // namespace nsrp::golden
