// SPDX-License-Identifier: Apache-2.0
// What each link is good for (manual ch. 1, "Dual High Availability Interfaces", "Dual HA Link Probes"). A link is
// alive when a living peer and this member hear each other on it and probes over it are answered. Both sides judge by
// the same evidence, which they exchange in their heartbeats, and so move together.
#include <algorithm>

#include "core/defect.h"
#include "core/member_impl.h"

namespace nsrp::core {

namespace {

constexpr uint32_t kGigabit = 1000;

bool in_zone_ha(LinkIndex link) {
  return link < kControlInterface;
}

}  // namespace

bool Member::Impl::fresh_on(const Peer& peer, LinkIndex link) const {
  const auto it = peer.links.find(link);
  return it != peer.links.end() && now < it->second.silence.from + dead_after(peer);
}

bool Member::Impl::both_ways(const Peer& peer, LinkIndex link) const {
  if (!direct(peer) || !fresh_on(peer, link)) return false;
  if (defect(Defect::kLinkEvidence)) return true;
  const Hearing* hearing = hearing_of_us(peer);
  return hearing != nullptr && hearing->links.test(peer.links.at(link).sent_on.value);
}

// What we say of a peer's links. One over which probes die is as good as silent.
LinkSet Member::Impl::heard_links(const Peer& peer) const {
  LinkSet heard;
  for (const auto& [index, link] : links) {
    if (fresh_on(peer, index) && !link.probing.down) heard.set(index.value);
  }
  return heard;
}

// Why it is alive, or dead.
std::string Member::Impl::why(LinkIndex index, const Link& link) const {
  if (link.alive) return "heard both ways";
  if (!link.facts.carrier) return "no carrier";
  if (index == kSecondaryPath && (!on_secondary || any_before(index))) return "standing by: other links work";
  if (link.probing.down) return std::to_string(link.probing.unanswered) + " probes in a row were not answered";
  if (!any_alive()) return "no other member is alive";
  std::string cause = "nothing was heard on it yet";
  Instant last = Instant::min();
  for (const auto& [unit, peer] : peers) {
    if (direct(peer) && fresh_on(peer, index)) return to_string(unit) + " is heard on it, but does not hear us on it";
    const auto it = peer.links.find(index);
    if (it == peer.links.end() || it->second.silence.heard <= last) continue;
    last = it->second.silence.heard;
    cause = to_string(unit) + " was not heard on it for " + words_ms(now - last);
  }
  return cause;
}

bool Member::Impl::any_before(LinkIndex index) const {
  return std::any_of(links.begin(), links.find(index), [](const auto& entry) { return entry.second.alive; });
}

void Member::Impl::judge_link(LinkIndex index, Link& link) {
  const bool heard =
      std::any_of(peers.begin(), peers.end(), [&](const auto& entry) { return both_ways(entry.second, index); });
  const bool needed = index != kSecondaryPath || (on_secondary && !any_before(index));
  const bool alive = link.facts.carrier && heard && needed && !link.probing.down;
  if (alive == link.alive) return;
  link.alive = alive;
  out.push_back(LinkStateChanged{index, alive, why(index, link)});
}

// The lowest-numbered living link is control, the next is data. A single gigabit link does both, a slower one only
// control. With more than two members a link that reaches all of them goes before one that does not. The interface of
// `set nsrp interface` carries control messages when no link of zone ha can. While nothing is heard anywhere the lowest
// with a carrier stands in.
void Member::Impl::assign_links() {
  const auto reaches_all = [&](LinkIndex index) {
    return std::all_of(peers.begin(), peers.end(),
                       [&](const auto& entry) { return !direct(entry.second) || both_ways(entry.second, index); });
  };
  std::optional<LinkIndex> fallback;
  std::vector<LinkIndex> usable;
  for (auto& [index, link] : links) {
    judge_link(index, link);
    if (index == kSecondaryPath) continue;
    if (link.facts.carrier && !fallback) fallback = index;
    if (link.alive) usable.push_back(index);
  }
  const auto zone_end = std::stable_partition(usable.begin(), usable.end(), in_zone_ha);
  std::stable_partition(usable.begin(), zone_end, reaches_all);
  std::optional<LinkIndex> next_control, next_data;
  if (!usable.empty()) next_control = usable[0];
  if (zone_end - usable.begin() > 1) next_data = usable[1];
  if (zone_end - usable.begin() == 1) {
    const uint32_t speed = links.at(usable[0]).facts.speed_mbps;
    if (speed == 0 || speed >= kGigabit) next_data = usable[0];
  }
  if (!next_control) next_control = fallback;
  if (next_control == control && next_data == data) return;
  control = next_control;
  data = next_data;
  out.push_back(LinkRolesChanged{control, data});
}

std::string Member::Impl::name_of(LinkIndex link) const {
  const auto it = links.find(link);
  const bool named = it != links.end() && !it->second.facts.name.empty();
  return named ? it->second.facts.name : "HA link " + std::to_string(link.value);
}

// The evidence for a peer's death: "on ha1, ha2 (no carrier)".
std::string Member::Impl::silent_links() const {
  std::string names;
  for (const auto& [index, link] : links) {
    names += (names.empty() ? "" : ", ") + name_of(index) + (link.facts.carrier ? "" : " (no carrier)");
  }
  return names;
}

// Manual ch. 1: heartbeats go over the secondary path when the HA links are down. "Down" is judged for each peer and
// from the first missed heartbeat on, well before anybody is declared dead.
bool Member::Impl::secondary_needed() const {
  bool anybody = false;
  for (const auto& [unit, peer] : peers) {
    if (!peer.alive) continue;
    anybody = true;
    const Hearing* hearing = hearing_of_us(peer);
    bool heard = false, hears = false;
    for (uint8_t i = 0; i < kSecondaryPath.value; ++i) {
      const auto it = peer.links.find(LinkIndex{i});
      heard |= it != peer.links.end() && now < it->second.silence.from + nudge_after(peer);
      hears |= hearing != nullptr && hearing->links.test(i);
    }
    if (!heard || !hears || misses_us(*hearing)) return true;
  }
  return !anybody;
}

LinkSet Member::Impl::speaking_links() const {
  LinkSet set;
  for (const auto& [index, link] : links) {
    if (link.facts.carrier && (index != kSecondaryPath || on_secondary)) set.set(index.value);
  }
  return set;
}

}  // namespace nsrp::core
