// SPDX-License-Identifier: Apache-2.0
// N members in one process under simulated time: a network of HA links between them, the data path's leases as the
// kernel would keep them, pauses, crashes, restarts. Perfect unless told otherwise.
//
//   World world;
//   const NodeId a = world.add({.unit = UnitId{1}, .vsds = {{.id = VsdId{0}, .priority = 50}}});
//   const NodeId b = world.add({.unit = UnitId{2}, .vsds = {{.id = VsdId{0}}}});
//   world.start(a); world.start(b);
//   world.run_for(seconds(10));
//   CHECK(world.state(a) == VsdState::kMaster);
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/member.h"

namespace nsrp::sim {

using core::Action;
using core::Heartbeat;
using core::LinkIndex;
using core::Member;
using core::MemberSettings;
using core::VsdState;
using NodeId = size_t;

// struct nsrp_vsd_state, as the BPF programs judge it.
struct DataPathLease {
  Instant until{};
  Duration alone_grace{0};
  std::optional<Instant> peer_seen;
  uint64_t term = 0;

  Instant effective_until() const;
};

struct Happened {
  Instant at;
  NodeId node;
  Action action;
};

class World {
 public:
  static constexpr uint8_t kLinks = 2;

  World() = default;
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // What a test may bend. Lost frames: nullopt. Barriers that never end: nullopt.
  std::function<std::optional<Duration>(NodeId from, NodeId to, LinkIndex link)> delay;
  std::function<Duration(NodeId)> lateness;  // of on_time after next_deadline()
  std::function<std::optional<Duration>(NodeId)> barrier;
  std::function<void()> after_event;

  NodeId add(MemberSettings settings, Duration clock_offset = Duration(0));
  void start(NodeId node);      // also after kill, power_off or leave: adopts what is left in the data path
  void kill(NodeId node);       // the process dies, the data path goes on
  void power_off(NodeId node);  // everything of it dies
  void pause(NodeId node);      // the process stands still, the data path goes on
  void resume(NodeId node, bool timers_first);
  void leave(NodeId node);
  void cut(NodeId from, NodeId to, LinkIndex link) { cuts_.insert({from, to, link}); }
  void heal(NodeId from, NodeId to, LinkIndex link) { cuts_.erase({from, to, link}); }
  void cut_all(NodeId from, NodeId to);
  void heal_all();

  void run_until(Instant t);
  void run_for(Duration d) { run_until(now_ + d); }
  bool run_until_true(Duration limit, const std::function<bool()>& condition);

  // Calls one event of a node's member and carries out what it answers.
  void call(NodeId node, const std::function<core::Actions(Member&, Instant)>& event);
  Status command(NodeId node, VsdId vsd, core::ModeCommand mode);
  void set_settings(NodeId node, const MemberSettings& settings);
  void set_in_sync(NodeId node, bool in_sync);
  void set_health(NodeId node, bool operable);
  void deliver(NodeId node, LinkIndex link, const Heartbeat& heartbeat);  // out of thin air

  Instant now() const { return now_; }
  size_t size() const { return nodes_.size(); }
  bool up(NodeId node) const { return nodes_[node].member != nullptr; }
  bool paused(NodeId node) const { return nodes_[node].paused; }
  bool in_sync(NodeId node) const { return nodes_[node].in_sync; }
  bool operable(NodeId node) const { return nodes_[node].operable; }
  Member& member(NodeId node) { return *nodes_[node].member; }
  const MemberSettings& settings(NodeId node) const { return nodes_[node].settings; }
  VsdState state(NodeId node, VsdId vsd = VsdId{0}) const;
  uint64_t term(NodeId node, VsdId vsd = VsdId{0}) const;
  std::string cause(NodeId node, VsdId vsd = VsdId{0}) const;
  bool forwards(NodeId node, VsdId vsd = VsdId{0}) const;  // the data path's word
  const DataPathLease* lease(NodeId node, VsdId vsd = VsdId{0}) const;
  std::optional<Instant> awake_since(NodeId node) const;  // nullopt: dead, or standing still
  // Since when every heartbeat from one node reached the other on at least one link.
  Instant undisturbed_since(NodeId from, NodeId to) const;

  const std::vector<Happened>& history() const { return history_; }
  void forget_history() { history_.clear(); }
  std::string trace(size_t last_lines) const;

  template <class T>
  std::vector<std::pair<Instant, T>> happened(NodeId node) const {
    std::vector<std::pair<Instant, T>> found;
    for (const Happened& h : history_) {
      if (h.node != node) continue;
      if (const T* action = std::get_if<T>(&h.action)) found.emplace_back(h.at, *action);
    }
    return found;
  }

 private:
  struct Arrived {
    LinkIndex link;
    Heartbeat heartbeat;
  };
  struct Node {
    MemberSettings settings;
    Duration clock_offset{0};
    std::unique_ptr<Member> member;
    uint64_t boots = 0;
    bool paused = false;
    Instant awake_since{};
    bool in_sync = false, operable = true;
    Instant wake = Instant::max();
    std::map<VsdId, DataPathLease> leases;
    std::vector<Arrived> socket;
  };
  struct Event {  // what comes at a time: a frame, or a barrier's end
    NodeId node;
    uint64_t boot = 0;  // 0: any
    std::optional<Arrived> frame;
    VsdId barrier_of;
  };

  Instant local(const Node& node) const { return now_ + node.clock_offset; }
  void answer(NodeId id, core::Actions actions);
  void carry_out(NodeId id, const Action& action);
  void send(NodeId from, const core::SendHeartbeat& what);
  void take(const Event& event);
  void take_frame(NodeId id, const Arrived& frame);
  bool step(Instant limit);

  Instant now_{seconds(1000)};
  std::vector<Node> nodes_;
  std::multimap<Instant, Event> events_;
  std::set<std::tuple<NodeId, NodeId, LinkIndex>> cuts_;
  std::map<std::pair<NodeId, NodeId>, Instant> disturbed_;
  std::vector<Happened> history_;
};

std::string describe(const Action& action);

}  // namespace nsrp::sim
