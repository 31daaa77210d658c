// SPDX-License-Identifier: Apache-2.0
// Clusters in the usual setting of these tests: 200 ms × 3, so that a member is dead after 600 ms, a lease lasts
// 500 ms, its grace when alone 300 ms, and the initial hold 1 s.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>

#include "sim/world.h"

namespace nsrp::sim {

using namespace nsrp::core;

inline constexpr milliseconds kInterval{200};
inline constexpr milliseconds kSilence{600};
inline constexpr milliseconds kLease{500};
inline constexpr milliseconds kGrace{300};
inline constexpr milliseconds kHold{1000};
inline constexpr VsdId kVsd0{0};
inline constexpr VsdId kVsd1{1};
inline constexpr LinkIndex kHa1{0};
inline constexpr LinkIndex kHa2{1};

inline MemberSettings device(uint64_t unit, uint8_t priority = 100, bool preempt = false,
                             seconds hold_down = seconds(0)) {
  return {.unit = UnitId{unit},
          .hb_interval = kInterval,
          .vsds = {{.id = kVsd0, .priority = priority, .preempt = preempt, .hold_down = hold_down}}};
}

// Device a with priority 50, device b with 100, both settled: a is master.
struct Pair {
  explicit Pair(MemberSettings first = device(0xa1, 50), MemberSettings second = device(0xb1, 100)) {
    a = world.add(std::move(first));
    b = world.add(std::move(second));
    world.start(a);
    world.start(b);
    world.run_for(seconds(3));
    world.forget_history();
  }
  bool roles(VsdState state_a, VsdState state_b) const {
    return world.state(a) == state_a && world.state(b) == state_b;
  }
  void cut_network() {
    world.cut_all(a, b);
    world.cut_all(b, a);
  }

  World world;
  NodeId a, b;
};

// A single member fed by hand.
struct Solo {
  explicit Solo(MemberSettings s = device(0xb1, 100)) : settings(std::move(s)) {
    node = world.add(settings);
    world.start(node);
  }
  // A heartbeat of another member that says this about VSD 0.
  Heartbeat heard(uint64_t unit, VsdState state, uint8_t priority, uint64_t term = 1) {
    return {.unit = UnitId{unit},
            .boot_epoch = unit,
            .sequence = ++sequence,
            .hb_interval = kInterval,
            .vsds = {{.vsd = kVsd0, .state = state, .priority = priority, .in_sync = true, .term = term}},
            .heard = {hears_us()}};
  }
  // Says that it has just heard the last heartbeat on both links.
  Hearing hears_us() const {
    const Heartbeat last = said();
    return {.unit = last.unit,
            .epoch = static_cast<uint32_t>(last.boot_epoch),
            .sequence = static_cast<uint32_t>(last.sequence),
            .links = LinkSet(0b11)};
  }
  // The same, once per interval, for that long.
  void hears_for(Duration d, const Heartbeat& like) {
    const Instant end = world.now() + d;
    while (world.now() < end) {
      Heartbeat next = like;
      next.sequence = ++sequence;
      if (!next.heard.empty()) next.heard = {hears_us()};
      world.deliver(node, kHa1, next);
      world.run_for(std::min<Duration>(kInterval, end - world.now()));
    }
  }
  Heartbeat said() const { return world.happened<SendHeartbeat>(node).back().second.heartbeat; }
  VsdState state() const { return world.state(node); }

  MemberSettings settings;
  World world;
  NodeId node;
  uint64_t sequence = 0;
};

// "grant", "revoke", "heartbeat", "announce", "state", "barrier", "exit" in the order they were asked for since then.
inline std::vector<std::string> order_of(const World& world, NodeId node, Instant since) {
  std::vector<std::string> words;
  for (const Happened& h : world.history()) {
    if (h.node != node || h.at < since) continue;
    if (std::holds_alternative<GrantLease>(h.action)) words.emplace_back("grant");
    if (std::holds_alternative<RevokeLease>(h.action)) words.emplace_back("revoke");
    if (std::holds_alternative<SendHeartbeat>(h.action)) words.emplace_back("heartbeat");
    if (std::holds_alternative<Announce>(h.action)) words.emplace_back("announce");
    if (std::holds_alternative<StateChanged>(h.action)) words.emplace_back("state");
    if (std::holds_alternative<StartBarrier>(h.action)) words.emplace_back("barrier");
    if (std::holds_alternative<MayExit>(h.action)) words.emplace_back("exit");
  }
  return words;
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace nsrp::sim

namespace doctest {
template <>
struct StringMaker<nsrp::core::VsdState> {
  static String convert(nsrp::core::VsdState state) { return std::string(to_string(state)).c_str(); }
};
template <>
struct StringMaker<nsrp::Duration> {
  static String convert(nsrp::Duration d) { return (std::to_string(d.count()) + " ns").c_str(); }
};
}  // namespace doctest
