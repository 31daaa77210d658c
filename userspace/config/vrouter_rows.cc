// SPDX-License-Identifier: Apache-2.0
// Static routes, one for each VSI that is to reach the destination (manual ch. 1, Virtual Security Interfaces and
// Static Routes).
#include <algorithm>

#include "config/grammar.h"

namespace nsrp::config {

namespace {

bool before(const Route& a, const Route& b) {
  if (a.vrouter != b.vrouter) return a.vrouter < b.vrouter;
  if (a.destination != b.destination) return a.destination < b.destination;
  if (a.ifname != b.ifname) return interface_name_less(a.ifname, b.ifname);
  return a.vsd < b.vsd;
}

bool is_same(const Route& a, const Route& b) {
  return !before(a, b) && !before(b, a);
}

Route key_of(const Values& values) {
  Route route;
  route.vrouter = values.text("vrouter");
  route.destination = values.prefix("network");
  if (values.has("vsi")) {
    route.ifname = values.vsi().ifname;
    route.vsd = values.vsi().vsd;
  }
  return route;
}

Status set_route(Config& config, const Values& values) {
  Route route = key_of(values);
  if (values.has("gateway")) route.gateway = values.address("gateway");
  if (values.has("metric")) route.metric = values.number("metric");
  std::erase_if(config.routes, [&](const Route& other) { return is_same(other, route); });
  config.routes.insert(std::ranges::upper_bound(config.routes, route, before), route);
  return {};
}

Status unset_route(Config& config, const Values& values) {
  const Route key = key_of(values);
  const size_t gone = std::erase_if(config.routes, [&](const Route& route) {
    return values.has("vsi") ? is_same(route, key)
                             : route.vrouter == key.vrouter && route.destination == key.destination;
  });
  if (gone != 0) return {};
  const std::string through = values.has("vsi") ? " through " + values.text("vsi") : "";
  return fail("virtual router " + key.vrouter + " has no route to " + to_string(key.destination) + through);
}

Printed print_routes(const Config& config) {
  Printed printed;
  for (const Route& route : config.routes) {
    printed.push_back({route.vrouter, to_string(route.destination), vsi_name(route.ifname, route.vsd),
                       route.gateway ? to_string(*route.gateway) : "",
                       route.metric ? std::to_string(*route.metric) : ""});
  }
  return printed;
}

constexpr Row kRows[] = {
    {"set vrouter <vrouter> route <network> interface <vsi> [gateway <gateway>] [metric <metric>]", CommandId::kSet,
     "Static route that leaves through an interface or VSI", Propagation::kUnlessLocal, set_route, print_routes},
    {"unset vrouter <vrouter> route <network> [interface <vsi>]", CommandId::kSet,
     "Remove the route through one interface or VSI, or all to the destination", Propagation::kUnlessLocal,
     unset_route},
};

}  // namespace

std::span<const Row> vrouter_rows() {
  return kRows;
}

}  // namespace nsrp::config
