// SPDX-License-Identifier: Apache-2.0
#include "sim/shrink.h"

#include <algorithm>

namespace nsrp::sim {

namespace {

// What went wrong, without its numbers: a shorter life that breaks for another reason is another case.
std::string kind_of(const std::string& sentence) {
  std::string words;
  std::copy_if(sentence.begin(), sentence.end(), std::back_inserter(words), [](char c) { return c < '0' || c > '9'; });
  return words;
}

class Shrinker {
 public:
  Shrinker(Scenario failing, size_t plays) : best_(std::move(failing)), plays_(plays) {
    const Outcome outcome = play(best_);
    kind_ = kind_of(outcome.broken.value_or(""));
    works_ = outcome.broken.has_value();
  }

  Scenario run() {
    if (!works_) return best_;
    size_t before = 0;
    while (plays_ > 0 && best_.events.size() != before) {
      before = best_.events.size();
      shorten_events();
      calm_weather();
      drop_last_node();
      round_times();
    }
    return best_;
  }

 private:
  bool try_it(const Scenario& candidate) {
    if (plays_ == 0) return false;
    --plays_;
    const Outcome outcome = play(candidate);
    if (!outcome.broken || kind_of(*outcome.broken) != kind_) return false;
    best_ = candidate;
    return true;
  }

  // Delta debugging: pieces of half the length, a quarter, … down to single events.
  void shorten_events() {
    for (size_t piece = std::max<size_t>(best_.events.size() / 2, 1); piece > 0; piece /= 2) {
      for (size_t end = best_.events.size(); end > 0;) {
        const size_t begin = end > piece ? end - piece : 0;
        Scenario candidate = best_;
        candidate.events.erase(candidate.events.begin() + static_cast<ptrdiff_t>(begin),
                               candidate.events.begin() + static_cast<ptrdiff_t>(end));
        try_it(candidate);
        end = begin;
      }
    }
  }

  template <class Change>
  void change(Change&& how) {
    Scenario candidate = best_;
    how(candidate);
    try_it(candidate);
  }

  void calm_weather() {
    change([](Scenario& s) { s.weather = {.delay = s.weather.delay}; });
    change([](Scenario& s) { s.weather.loss_permille = 0; });
    change([](Scenario& s) { s.weather.late_permille = s.weather.duplicate_permille = 0; });
    change([](Scenario& s) { s.weather.stall_permille = 0; });
    change([](Scenario& s) { s.weather.jitter = s.weather.lateness = Duration(0); });
    change([](Scenario& s) {
      for (NodeSetup& node : s.nodes) node.clock_ppm = 0;
    });
    change([](Scenario& s) {
      for (NodeSetup& node : s.nodes) node.links &= 0b1;
    });
    change([](Scenario& s) {
      for (NodeSetup& node : s.nodes) node.settings.vsds.resize(1);
    });
    change([](Scenario& s) {
      for (NodeSetup& node : s.nodes) node.settings.probe.reset();
    });
  }

  void drop_last_node() {
    while (best_.nodes.size() > 2) {
      Scenario candidate = best_;
      const NodeId last = candidate.nodes.size() - 1;
      candidate.nodes.pop_back();
      std::erase_if(candidate.events, [last](const Event& e) { return e.node == last || e.other == last; });
      if (!try_it(candidate)) return;
    }
  }

  void round_times() {
    for (const int64_t grain : {1'000'000'000LL, 100'000'000LL, 1'000'000LL, 1'000LL}) {
      change([grain](Scenario& s) {
        for (Event& e : s.events) e.at = Duration((e.at.count() + grain - 1) / grain * grain);
      });
    }
  }

  Scenario best_;
  size_t plays_;
  std::string kind_;
  bool works_ = false;
};

}  // namespace

Scenario shrink(Scenario failing, size_t plays) {
  return Shrinker(std::move(failing), plays).run();
}

}  // namespace nsrp::sim
