// SPDX-License-Identifier: Apache-2.0
// What a World shows of itself.
#include <stdexcept>

#include "sim/world.h"

namespace nsrp::sim {

using namespace core;

namespace {

VsdView view_of(const Member& member, VsdId vsd) {
  for (VsdView& view : member.vsds()) {
    if (view.settings.id == vsd) return std::move(view);
  }
  throw std::logic_error("no such VSD");
}

}  // namespace

VsdState World::state(NodeId id, VsdId vsd) const {
  return view_of(*nodes_[id].member, vsd).state;
}

uint64_t World::term(NodeId id, VsdId vsd) const {
  return view_of(*nodes_[id].member, vsd).term;
}

std::string World::cause(NodeId id, VsdId vsd) const {
  return view_of(*nodes_[id].member, vsd).cause;
}

const DataPathLease* World::lease(NodeId id, VsdId vsd) const {
  const auto it = nodes_[id].leases.find(vsd);
  return it == nodes_[id].leases.end() ? nullptr : &it->second;
}

bool World::forwards(NodeId id, VsdId vsd) const {
  const Node& node = nodes_[id];
  const DataPathLease* found = lease(id, vsd);
  if (found == nullptr || node.pause == Pause::kMachine) return false;
  return local(node) < found->effective_until() || took_over(id, vsd);
}

bool World::took_over(NodeId id, VsdId vsd) const {
  const DataPathLease* found = lease(id, vsd);
  return found != nullptr && found->took && local(nodes_[id]) < found->succession_until;
}

void World::record(NodeId id, std::string description) {
  nodes_[id].recorded_as = std::move(description);
}

void World::begin_record(NodeId id, const std::vector<AdoptedLease>& adopted) {
  Node& node = nodes_[id];
  if (!node.recorded_as) return;
  node.recorder = std::make_unique<golden::Recorder>(
      golden::Beginning{*node.recorded_as, node.settings, local(node), boot_epoch(id), adopted});
}

std::string World::take_record(NodeId id) {
  return nodes_[id].recorder ? nodes_[id].recorder->take_lines() : std::string();
}

std::string describe(const Action& action) {
  struct Words {
    std::string operator()(const SendHeartbeat& a) const {
      std::string text = "heartbeat " + std::to_string(a.heartbeat.sequence);
      for (const VsdAdvert& vsd : a.heartbeat.vsds) {
        text += " [" + std::to_string(vsd.vsd.value) + " " + std::string(to_string(vsd.state)) + " term " +
                std::to_string(vsd.term) + (vsd.wants_master ? " wants" : "") + (vsd.in_sync ? "" : " unsynced") +
                (vsd.handed_to == UnitId{} ? "" : " handed to " + to_string(vsd.handed_to)) +
                (vsd.handing_to == UnitId{} ? "" : " handing to " + to_string(vsd.handing_to)) +
                (vsd.ready ? " ready" : "") + "]";
      }
      return text + (a.heartbeat.leaving ? " leaving" : "");
    }
    std::string operator()(const GrantLease& a) const {
      return "grant " + std::to_string(a.vsd.value) + " term " + std::to_string(a.term) +
             (a.alone_grace.count() > 0 ? " alone" : "");
    }
    std::string operator()(const RevokeLease& a) const { return "revoke " + std::to_string(a.vsd.value); }
    std::string operator()(const Succeed& a) const {
      return "succeed " + std::to_string(a.vsd.value) + (a.from == UnitId{} ? " no more" : " " + to_string(a.from));
    }
    std::string operator()(const HandoverGivenUp& a) const {
      return "handover of " + std::to_string(a.vsd.value) + " given up: " + a.cause;
    }
    std::string operator()(const Announce& a) const { return "announce " + std::to_string(a.vsd.value); }
    std::string operator()(const StartBarrier& a) const { return "barrier " + std::to_string(a.vsd.value); }
    std::string operator()(const StateChanged& a) const {
      return "VSD " + std::to_string(a.vsd.value) + " " + std::string(to_string(a.from)) + " -> " +
             std::string(to_string(a.to)) + ": " + a.cause;
    }
    std::string operator()(const PeerUp& a) const { return "peer up " + to_string(a.unit); }
    std::string operator()(const PeerLost& a) const { return "peer lost: " + a.evidence; }
    std::string operator()(const Conflict& a) const {
      return "conflict with " + to_string(a.other) + (a.survives ? ", survives" : ", yields");
    }
    std::string operator()(const LinkRolesChanged& a) const {
      const auto name = [](std::optional<LinkIndex> l) { return l ? std::to_string(l->value) : "none"; };
      return "links: control " + name(a.control) + ", data " + name(a.data);
    }
    std::string operator()(const LinkStateChanged& a) const {
      return "link " + std::to_string(a.link.value) + (a.alive ? " up: " : " down: ") + a.cause;
    }
    std::string operator()(const SendProbe& a) const { return "probe on link " + std::to_string(a.link.value); }
    std::string operator()(const ProbesDone& a) const {
      return std::to_string(a.answered) + " of " + std::to_string(a.sent) + " probes answered";
    }
    std::string operator()(const ClearCounters& a) const {
      return "clear counters as " + to_string(a.said_to) + " did";
    }
    std::string operator()(const MayExit&) const { return "may exit"; }
  };
  return std::visit(Words{}, action);
}

std::string World::trace(size_t last_lines) const {
  std::string text;
  const size_t skip = history_.size() > last_lines ? history_.size() - last_lines : 0;
  for (size_t i = skip; i < history_.size(); ++i) {
    const Happened& h = history_[i];
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(h.at.time_since_epoch()).count();
    text += std::to_string(us) + " us  node " + std::to_string(h.node) + "  " + describe(h.action) + "\n";
  }
  return text;
}

}  // namespace nsrp::sim
