// SPDX-License-Identifier: Apache-2.0
// Which HA link carries control messages and which carries packets (manual ch. 1, "Dual High Availability Interfaces").
#include "core/member_impl.h"

namespace nsrp::core {

namespace {
constexpr uint32_t kGigabit = 1000;
}

bool Member::Impl::heard_on(LinkIndex link) const {
  for (const auto& [unit, peer] : peers) {
    const auto it = peer.links.find(link);
    if (it != peer.links.end() && now < it->second.from + dead_after(peer)) return true;
  }
  return false;
}

// The lowest-numbered living link is control, the next is data. A single gigabit link does both, a slower one only
// control. While nothing is heard anywhere the lowest with a carrier stands in as control.
void Member::Impl::assign_links() {
  std::optional<LinkIndex> next_control, next_data, fallback;
  for (auto& [index, link] : links) {
    link.alive = link.facts.carrier && heard_on(index);
    if (link.facts.carrier && !fallback) fallback = index;
    if (!link.alive) continue;
    if (!next_control) {
      next_control = index;
    } else if (!next_data) {
      next_data = index;
    }
  }
  if (next_control && !next_data) {
    const uint32_t speed = links.at(*next_control).facts.speed_mbps;
    if (speed == 0 || speed >= kGigabit) next_data = next_control;
  }
  if (!next_control) next_control = fallback;
  if (next_control == control && next_data == data) return;
  control = next_control;
  data = next_data;
  out.push_back(LinkRolesChanged{control, data});
}

std::string Member::Impl::link_names() const {
  std::string names;
  for (const auto& [index, link] : links) {
    if (!names.empty()) names += ", ";
    names += link.facts.name.empty() ? "HA link " + std::to_string(index.value) : link.facts.name;
  }
  return names;
}

}  // namespace nsrp::core
