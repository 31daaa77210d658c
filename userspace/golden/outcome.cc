// SPDX-License-Identifier: Apache-2.0
// What a Member answers, as JSON. It is compared, never read back into actions.
#include "golden/encoding.h"

namespace nsrp::golden {

using namespace core;

namespace {

Json link_or_none(std::optional<LinkIndex> link) {
  return link ? Json(link->value) : Json(nullptr);
}

struct Writer {
  Instant origin;

  Json operator()(const SendHeartbeat& a) {
    return {{"send_heartbeat", {{"links", encode(a.links)}, {"says", encode(a.heartbeat)}}}};
  }
  Json operator()(const SendProbe& a) {
    Json json{{"link", a.link.value}, {"id", a.id}};
    if (a.to) json["to"] = to_string(*a.to);
    return {{"send_probe", json}};
  }
  Json operator()(const ProbesDone& a) {
    return {{"probes_done", {{"link", a.link.value}, {"sent", a.sent}, {"answered", a.answered}}}};
  }
  Json operator()(const GrantLease& a) {
    return {{"grant_lease",
             {{"vsd", a.vsd.value},
              {"until_ns", (a.until - origin).count()},
              {"alone_grace_ns", a.alone_grace.count()},
              {"term", a.term}}}};
  }
  Json operator()(const RevokeLease& a) {
    Json json{{"vsd", a.vsd.value}};
    if (a.drain.count() > 0) json["drain_ns"] = a.drain.count();
    return {{"revoke_lease", json}};
  }
  Json operator()(const Succeed& a) {
    Json json{{"vsd", a.vsd.value}};
    if (a.from != UnitId{}) json.update({{"from", encode(a.from)}, {"until_ns", (a.until - origin).count()}});
    return {{"succeed", json}};
  }
  Json operator()(const HandoverGivenUp& a) {
    return {{"handover_given_up", {{"vsd", a.vsd.value}, {"to", encode(a.to)}, {"cause", a.cause}}}};
  }
  Json operator()(const Announce& a) { return {{"announce", {{"vsd", a.vsd.value}}}}; }
  Json operator()(const StartBarrier& a) { return {{"start_barrier", {{"vsd", a.vsd.value}}}}; }
  Json operator()(const StateChanged& a) {
    return {{"state_changed",
             {{"vsd", a.vsd.value}, {"from", to_string(a.from)}, {"to", to_string(a.to)}, {"cause", a.cause}}}};
  }
  Json operator()(const PeerUp& a) { return {{"peer_up", {{"unit", encode(a.unit)}}}}; }
  Json operator()(const PeerLost& a) { return {{"peer_lost", {{"unit", encode(a.unit)}, {"evidence", a.evidence}}}}; }
  Json operator()(const Conflict& a) {
    return {{"conflict", {{"vsd", a.vsd.value}, {"other", encode(a.other)}, {"survives", a.survives}}}};
  }
  Json operator()(const LinkRolesChanged& a) {
    return {{"link_roles_changed", {{"control", link_or_none(a.control)}, {"data", link_or_none(a.data)}}}};
  }
  Json operator()(const LinkStateChanged& a) {
    return {{"link_state_changed", {{"link", a.link.value}, {"alive", a.alive}, {"cause", a.cause}}}};
  }
  Json operator()(const ClearCounters& a) { return {{"clear_counters", {{"said_to", encode(a.said_to)}}}}; }
  Json operator()(const MayExit&) { return {{"may_exit", Json::object()}}; }
};

}  // namespace

Json encode(const Result<Actions>& answer, Instant origin) {
  if (!answer) return {{"refused", answer.error().message}};
  Json json = Json::array();
  for (const Action& action : *answer) json.push_back(std::visit(Writer{origin}, action));
  return json;
}

}  // namespace nsrp::golden
