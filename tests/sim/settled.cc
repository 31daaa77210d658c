// SPDX-License-Identifier: Apache-2.0
#include "sim/settled.h"

#include <algorithm>

namespace nsrp::sim {

using namespace core;

namespace {

std::string name(NodeId id) {
  return "node " + std::to_string(id);
}
std::string group(VsdId vsd) {
  return "VSD " + std::to_string(vsd.value);
}
std::string link_name(std::optional<LinkIndex> link) {
  return link ? "link " + std::to_string(link->value) : "none";
}

}  // namespace

// Probes that die take the link away for both, whoever sends them.
bool Settled::both_ways(NodeId a, NodeId b, LinkIndex link) const {
  const bool probed = world_.settings(a).probe || world_.settings(b).probe;
  const auto works = [&](NodeId x, NodeId y) {
    return probed && link != kSecondaryPath ? world_.passes_unicast(x, y, link) : world_.passes(x, y, link);
  };
  return works(a, b) && works(b, a);
}

bool Settled::judgeable() const {
  for (NodeId a = 0; a < world_.size(); ++a) {
    for (NodeId b = a + 1; b < world_.size(); ++b) {
      if (!world_.up(a) || !world_.up(b)) continue;
      if (!world_.awake(a) || !world_.awake(b)) return false;
      bool some = false;
      for (uint8_t l = 0; l < core::kLinks; ++l) some |= both_ways(a, b, LinkIndex{l});
      if (!some) return false;
    }
  }
  return true;
}

Duration Settled::silence() const {
  Duration longest{0};
  for (NodeId id = 0; id < world_.size(); ++id) {
    const MemberSettings& s = world_.settings(id);
    longest = std::max<Duration>(longest, s.hb_interval * s.hb_threshold);
  }
  return longest;
}

// The faults may leave a lease to run out, its member to listen, an initial hold, the patience with a candidate that
// does not come; then a preemption's hold-down, its barrier and its announcements; and as many probes as it takes.
Duration Settled::bound() const {
  constexpr milliseconds kAnnouncements{100 + 200 + 400};
  Duration hold{0}, hold_down{0}, probes{0};
  for (NodeId id = 0; id < world_.size(); ++id) {
    const MemberSettings& s = world_.settings(id);
    hold = std::max<Duration>(hold, s.hb_interval * std::max(s.init_hold, s.hb_threshold));
    for (const VsdSettings& vsd : s.vsds) hold_down = std::max<Duration>(hold_down, vsd.hold_down);
    if (s.probe) probes = std::max<Duration>(probes, s.probe->interval * (s.probe->threshold + 2));
  }
  return std::max(hold * 2 + silence() * 6 + hold_down + Member::kHandoverLimit + kAnnouncements, probes + silence());
}

// Its last heartbeat may have left just before; a timer may be a little late.
Duration Settled::takeover_bound() const {
  Duration interval{0};
  for (NodeId id = 0; id < world_.size(); ++id) {
    interval = std::max<Duration>(interval, world_.settings(id).hb_interval);
  }
  return silence() + interval;
}

bool Settled::is_able(NodeId id, VsdId vsd) const {
  if (!world_.awake(id)) return false;
  return safety_.state(id, vsd) != VsdState::kIneligible && world_.operable(id, vsd);
}

size_t Settled::able(VsdId vsd) const {
  size_t count = 0;
  for (NodeId id = 0; id < world_.size(); ++id) count += is_able(id, vsd);
  return count;
}

std::optional<NodeId> Settled::master(VsdId vsd) const {
  for (NodeId id = 0; id < world_.size(); ++id) {
    if (world_.awake(id) && safety_.state(id, vsd) == VsdState::kMaster && world_.forwards(id, vsd)) return id;
  }
  return std::nullopt;
}

void Settled::check() const {
  for (const VsdSettings& vsd : world_.settings(0).vsds) check_vsd(vsd.id);
  check_links();
}

void Settled::check_vsd(VsdId vsd) const {
  size_t masters = 0, primary_backups = 0, backups = 0, inoperable_able = 0;
  const bool always = world_.settings(0).master_always_exist;
  for (NodeId id = 0; id < world_.size(); ++id) {
    if (!world_.up(id)) continue;
    const VsdState state = safety_.state(id, vsd);
    if (state != world_.state(id, vsd)) throw Broken(name(id) + " shows another state than it reported");
    masters += state == VsdState::kMaster;
    primary_backups += state == VsdState::kPrimaryBackup;
    backups += state == VsdState::kBackup;
    if (state == VsdState::kInitial) throw Broken(name(id) + " is still initial for " + group(vsd));
    const bool inoperable = !world_.operable(id, vsd) && state != VsdState::kIneligible;
    inoperable_able += inoperable && always;
    if (inoperable && state != VsdState::kInoperable && !(always && state == VsdState::kMaster)) {
      throw Broken(name(id) + " is inoperable and " + std::string(core::to_string(state)) + " of " + group(vsd));
    }
    if (!inoperable && state == VsdState::kInoperable) throw Broken(name(id) + " stays inoperable");
  }
  const size_t able_members = able(vsd);
  const size_t wanted = able_members > 0 || inoperable_able > 0 ? 1 : 0;
  if (masters != wanted) throw Broken(group(vsd) + " has " + std::to_string(masters) + " masters");
  const size_t others = able_members > 0 ? able_members - 1 : 0;
  if (primary_backups != std::min<size_t>(others, 1) || backups != others - primary_backups) {
    throw Broken(group(vsd) + " has " + std::to_string(primary_backups) + " primary backups and " +
                 std::to_string(backups) + " backups, of " + std::to_string(others));
  }
  if (masters == 0) return;
  const NodeId holder = master(vsd).value();
  if (able_members > 0 && !is_able(holder, vsd)) throw Broken(group(vsd) + ": an inoperable member is master");
  // Whom nobody has heard since may have told it last, and be gone.
  const std::optional<NodeId> teller = safety_.last_announcer(vsd);
  if (world_.settings(holder).announce_count > 0 && teller != holder && teller && world_.up(*teller)) {
    throw Broken(group(vsd) + ": the network was not told last by the master, " + name(holder));
  }
  check_preempted(vsd, holder);
}

void Settled::check_preempted(VsdId vsd, NodeId holder) const {
  const auto own = [&](NodeId id) -> const VsdSettings& {
    const auto& vsds = world_.settings(id).vsds;
    return *std::find_if(vsds.begin(), vsds.end(), [&](const VsdSettings& each) { return each.id == vsd; });
  };
  for (NodeId id = 0; id < world_.size(); ++id) {
    if (id == holder || !is_able(id, vsd)) continue;
    const bool synced = !world_.settings(id).sync_required || world_.in_sync(id);
    if (own(id).preempt && synced && own(id).priority < own(holder).priority) {
      throw Broken(name(id) + " should have preempted " + name(holder) + " in " + group(vsd));
    }
  }
}

void Settled::check_links() const {
  std::vector<NodeId> up;
  for (NodeId id = 0; id < world_.size(); ++id) {
    if (world_.up(id)) up.push_back(id);
  }
  if (up.size() != 2) return;
  // Without a setting a link is probed by command only: whether its unicast is known to be dead is chance.
  const bool probed = world_.settings(up[0]).probe || world_.settings(up[1]).probe;
  for (uint8_t l = 0; l < core::kLinks && !probed; ++l) {
    for (const NodeId id : up) {
      const NodeId other = id == up[0] ? up[1] : up[0];
      if (world_.passes(id, other, LinkIndex{l}) != world_.passes_unicast(id, other, LinkIndex{l})) return;
    }
  }
  std::vector<LinkIndex> zone, usable;
  for (uint8_t l = 0; l < kSecondaryPath.value; ++l) {
    if (!both_ways(up[0], up[1], LinkIndex{l})) continue;
    usable.push_back(LinkIndex{l});
    if (LinkIndex{l} < kControlInterface) zone.push_back(LinkIndex{l});
  }
  if (usable.empty()) return;  // the secondary path only
  const std::optional<LinkIndex> control = usable[0];
  const std::optional<LinkIndex> data =
      zone.empty() ? std::nullopt : std::optional(zone.size() > 1 ? zone[1] : zone[0]);
  for (const NodeId id : up) {
    const Member& member = world_.member(id);
    if (member.control_link() == control && member.data_link() == data) continue;
    throw Broken(name(id) + " has control on " + link_name(member.control_link()) + " and data on " +
                 link_name(member.data_link()) + " instead of " + link_name(control) + " and " + link_name(data));
  }
}

}  // namespace nsrp::sim
