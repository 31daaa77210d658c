// SPDX-License-Identifier: Apache-2.0
// N members in one process under simulated time: a network of links between them, the data path's leases as the kernel
// would keep them, clocks, pauses, crashes, restarts. Perfect unless told otherwise.
//
//   World world;
//   const NodeId a = world.add({.unit = UnitId{1}, .vsds = {{.id = VsdId{0}, .priority = 50}}});
//   const NodeId b = world.add({.unit = UnitId{2}, .vsds = {{.id = VsdId{0}}}});
//   world.start(a); world.start(b);
//   world.run_for(seconds(10));
//   CHECK(world.state(a) == VsdState::kMaster);
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/member.h"
#include "golden/recorder.h"
#include "sim/clock.h"

namespace nsrp::sim {

using core::Action;
using core::Heartbeat;
using core::LinkIndex;
using core::LinkSet;
using core::Member;
using core::MemberSettings;
using core::VsdState;
using NodeId = size_t;
inline constexpr size_t kMaxNodes = 8;

// struct nsrp_vsd_state, as the BPF programs judge it. Times are of its member's clock.
struct DataPathLease {
  Instant until = Instant::min();
  Duration alone_grace{0};
  std::optional<Instant> peer_seen;
  uint64_t term = 0;
  UnitId predecessor{};  // who passes packets on until then, and whether it has
  Instant succession_until = Instant::min();
  bool took = false;

  Instant effective_until() const;
};

struct Frame {
  NodeId from;
  Instant sent;
  Heartbeat heartbeat;
  // When its sender had last heard each of the others: itself, or also through third members.
  std::array<Instant, kMaxNodes> heard, known;
  std::array<Instant, kMaxNodes> newest;  // when the newest of what it had heard of them was sent
};

struct Happened {
  Instant at;
  NodeId node;
  Action action;
};

// What becomes of one frame on one link: each copy and how long it takes. None: it is lost.
struct Copies {
  uint8_t count = 0;
  std::array<Duration, 2> takes{};
};

class World {
 public:
  World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // What a test may bend. `salt` is the same for the same frame in every run. Barriers that never end: nullopt.
  std::function<Copies(NodeId from, NodeId to, LinkIndex link, uint64_t salt)> transmit;
  std::function<Duration(NodeId)> lateness;  // of on_time after next_deadline()
  std::function<std::optional<Duration>(NodeId)> barrier;
  // What a test may watch.
  std::function<void()> after_event;
  std::function<void(NodeId, const core::Actions&)> acted;
  std::function<void(NodeId to, const Frame&)> heard;  // a process is about to be told of a frame
  std::function<void(NodeId, VsdId)> took;             // a data path acts as master before its member does

  NodeId add(MemberSettings settings, Clock clock = Clock());
  void set_links(NodeId node, LinkSet links);   // before its start; ha1 and ha2 otherwise
  void start(NodeId node);                      // also after kill, power_off or leave: adopts what the data path holds
  void kill(NodeId node);                       // the process dies, the data path goes on
  void power_off(NodeId node);                  // everything of it dies
  void pause(NodeId node);                      // the process stands still, the data path goes on
  void stop_machine(NodeId node);               // both stand still
  void go_on(NodeId node, bool clock_halted);   // a stopped machine; its process is still to be resumed
  void resume(NodeId node, bool timers_first);  // told first of the time that passed, or of the frames that came
  void leave(NodeId node);

  void cut(NodeId from, NodeId to, LinkIndex link) { wire(from, to, link).cut = true; }
  void cut_unicast(NodeId from, NodeId to, LinkIndex link) { wire(from, to, link).cut_unicast = true; }
  void heal(NodeId from, NodeId to, LinkIndex link) { wire(from, to, link) = {}; }
  void clog(NodeId from, NodeId to, LinkIndex link, Instant until) { wire(from, to, link).clogged_until = until; }
  void cut_all(NodeId from, NodeId to);
  void heal_all();
  void set_carrier(NodeId node, LinkIndex link, bool carrier);

  void run_until(Instant t);
  void run_for(Duration d) { run_until(now_ + d); }
  bool run_until_true(Duration limit, const std::function<bool()>& condition);

  // One event of a node's member, and what it answers carried out. Told to one that stands still it waits.
  void tell(NodeId node, golden::Input input);
  void call(NodeId node, const std::function<core::Actions(Member&, Instant)>& event);  // the same, never recorded
  Status command(NodeId node, VsdId vsd, core::ModeCommand mode);
  Status probe(NodeId node, LinkIndex link, uint8_t count);
  void set_settings(NodeId node, const MemberSettings& settings);
  void set_in_sync(NodeId node, bool in_sync, UnitId rto_peer = {});
  void set_health(NodeId node, bool operable, std::optional<VsdId> vsd = std::nullopt);
  void deliver(NodeId node, LinkIndex link, const Heartbeat& heartbeat);  // out of thin air

  Instant now() const { return now_; }
  Instant now_at(NodeId node) const { return nodes_[node].clock.at(now_); }
  size_t size() const { return nodes_.size(); }
  bool up(NodeId node) const { return nodes_[node].member != nullptr; }
  bool paused(NodeId node) const { return nodes_[node].pause != Pause::kNone; }
  bool awake(NodeId node) const { return up(node) && !paused(node); }
  uint64_t boot_epoch(NodeId node) const { return (node + 1) * 1000 + nodes_[node].boots; }
  bool in_sync(NodeId node) const { return nodes_[node].in_sync; }
  bool operable(NodeId node, VsdId vsd = VsdId{0}) const;
  Member& member(NodeId node) { return *nodes_[node].member; }
  const MemberSettings& settings(NodeId node) const { return nodes_[node].settings; }
  VsdState state(NodeId node, VsdId vsd = VsdId{0}) const;
  uint64_t term(NodeId node, VsdId vsd = VsdId{0}) const;
  std::string cause(NodeId node, VsdId vsd = VsdId{0}) const;
  bool forwards(NodeId node, VsdId vsd = VsdId{0}) const;   // the data path's word
  bool took_over(NodeId node, VsdId vsd = VsdId{0}) const;  // the same, without being master
  const DataPathLease* lease(NodeId node, VsdId vsd = VsdId{0}) const;
  LinkSet links(NodeId node) const { return nodes_[node].links; }
  LinkSet carrier(NodeId node) const { return nodes_[node].links & nodes_[node].carrier; }
  bool passes(NodeId from, NodeId to, LinkIndex link) const;  // not cut, and both ends are there
  bool passes_unicast(NodeId from, NodeId to, LinkIndex link) const;
  // When a process last heard of another one: by itself, or a third one that told it.
  Instant heard_itself_at(NodeId node, NodeId of) const { return direct_[node][of]; }
  Instant told_at(NodeId node, NodeId of) const {
    const auto& [teller, boot] = teller_[node][of];
    return awake(teller) && nodes_[teller].boots == boot ? relayed_[node][of] : Instant::min();
  }
  // When that which was told had been said. The teller may have had it in its socket for a while.
  Instant told_of(NodeId node, NodeId of) const { return told_of_[node][of]; }
  Instant heard_at(NodeId node, NodeId of) const { return std::max(direct_[node][of], relayed_[node][of]); }
  uint64_t events() const { return events_done_; }

  // Every action since forget_history(), unless keep_history(false).
  void keep_history(bool keep) { keeps_history_ = keep; }
  const std::vector<Happened>& history() const { return history_; }
  void forget_history() { history_.clear(); }
  std::string trace(size_t last_lines) const;
  void record(NodeId node, std::string description);  // from its next start on
  std::string take_record(NodeId node);

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
  enum class Pause : uint8_t { kNone, kProcess, kMachine };
  struct Waiting {  // what a process that stands still has not read yet
    LinkIndex link{};
    std::shared_ptr<const Frame> frame;
    std::optional<golden::Input> input;
  };
  struct Node {
    MemberSettings settings;
    Clock clock;
    LinkSet links = 0b11, carrier = ~LinkSet();
    std::unique_ptr<Member> member;
    uint64_t boots = 0;
    Pause pause = Pause::kNone;
    Instant started_at{}, stopped_at{};
    bool in_sync = false;
    UnitId rto_peer;
    std::map<std::optional<VsdId>, bool> operable;
    Instant wake = Instant::max();
    std::map<VsdId, DataPathLease> leases;
    std::vector<Waiting> waiting;
    std::optional<std::string> recorded_as;
    std::unique_ptr<golden::Recorder> recorder;
  };
  enum class Kind : uint8_t { kFrame, kBarrier, kProbeRequest, kProbeAnswer };
  struct Event {
    Instant at;
    uint64_t order;  // of two at the same time the earlier made
    Kind kind;
    NodeId node;
    uint64_t boot = 0;
    LinkIndex link{};
    VsdId vsd{};
    NodeId other = 0;
    uint64_t id = 0;
    std::shared_ptr<const Frame> frame;
  };
  struct Wire {  // one direction of a link between two nodes
    bool cut = false, cut_unicast = false;
    Instant clogged_until = Instant::min();
  };

  Instant local(const Node& node) const { return node.clock.at(now_); }
  Wire& wire(NodeId from, NodeId to, LinkIndex link) { return wires_[from][to][link.value]; }
  core::LinkFacts facts(const Node& node, LinkIndex link) const;
  void begin_record(NodeId id, const std::vector<core::AdoptedLease>& adopted);
  void answer(NodeId id, const core::Actions& actions);
  void set_alarm(NodeId id);
  void carry_out(NodeId id, const Action& action);
  void push(Event event);
  void send(NodeId from, const core::SendHeartbeat& send);
  void send_probe(NodeId from, const core::SendProbe& probe);
  Copies copies(NodeId from, NodeId to, LinkIndex link, uint64_t salt, bool unicast);
  bool outlived(const Frame& frame) const;
  void take(const Event& event);
  void take_frame(NodeId id, LinkIndex link, const std::shared_ptr<const Frame>& frame);
  void see_peer(Node& node);
  void pass_packets_on();
  void hear(NodeId id, LinkIndex link, const Frame& frame);
  bool step(Instant limit);

  Instant now_{seconds(1000)};
  std::vector<Node> nodes_;
  std::vector<Event> events_;  // a heap
  uint64_t events_made_ = 0, events_done_ = 0;
  std::array<std::array<std::array<Wire, core::kLinks>, kMaxNodes>, kMaxNodes> wires_{};
  std::array<std::array<Instant, kMaxNodes>, kMaxNodes> direct_, relayed_, told_of_, newest_;  // [who][of whom]
  std::array<std::array<std::pair<NodeId, uint64_t>, kMaxNodes>, kMaxNodes> teller_{};         // and its run
  bool keeps_history_ = true;
  std::vector<Happened> history_;
};

std::string describe(const Action& action);

}  // namespace nsrp::sim
