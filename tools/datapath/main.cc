// SPDX-License-Identifier: Apache-2.0
// The measuring half of `tools/bench datapath`: one JSON line for each figure. See docs/benchmarks.md.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "lab.h"
#include "programs.h"

namespace nsrp::bench {
namespace {

constexpr size_t kSmall = 60, kLarge = 1514;
constexpr int kRounds = 3;
constexpr auto kSettles = std::chrono::milliseconds{2300};  // conntrack calls a UDP flow a stream after two seconds

struct Wanted {
  std::vector<uint32_t> flows;
  std::vector<std::string> rows;
  double seconds = 1;
  bool programs = true;
};

void print(const nlohmann::json& line) {
  std::cout << line.dump() << std::endl;
}

// The median of a few rounds, of both sizes.
void row(BenchLab& lab, const Wanted& wanted, uint32_t flows, const std::string& name) {
  if (std::ranges::find(wanted.rows, name) == wanted.rows.end()) return;
  for (const size_t bytes : {kSmall, kLarge}) {
    std::vector<Cost> rounds;
    const uint64_t fast = lab.counter(NSRP_CNT_fast_forwarded), granted = lab.counter(NSRP_CNT_fast_stack_permit);
    lab.warm_up(bytes);
    for (int i = 0; i < kRounds; ++i) rounds.push_back(lab.measure(bytes, wanted.seconds));
    std::ranges::sort(rounds, {}, &Cost::ns);
    const Cost& median = rounds[kRounds / 2];
    print({{"row", name},
           {"flows", flows},
           {"bytes", bytes},
           {"ns", median.ns},
           {"best_ns", rounds.front().ns},
           {"lost", median.lost},
           {"fast", lab.counter(NSRP_CNT_fast_forwarded) - fast},
           {"renewing", lab.counter(NSRP_CNT_fast_stack_permit) - granted}});
    for (const ProgramTime& time : lab.time_in_programs(bytes))
      print({{"inside", name}, {"flows", flows}, {"bytes", bytes}, {"program", time.program}, {"ns", time.ns}});
  }
}

void settle(BenchLab& lab) {
  lab.establish();
  std::this_thread::sleep_for(kSettles);
  lab.establish();
}

void end_to_end(const Wanted& wanted, uint32_t flows) {
  BenchLab lab(flows);
  lab.forward_nothing();
  row(lab, wanted, flows, "source");
  lab.forward_plainly();
  row(lab, wanted, flows, "redirect");
  lab.forward_by_stack(Empty::kNothing);
  lab.end_at(Sink::kStack);
  row(lab, wanted, flows, "kernel");
  lab.load_ruleset();
  settle(lab);
  row(lab, wanted, flows, "kernel_nat");
  lab.forward_by_stack(Empty::kXdp);
  row(lab, wanted, flows, "empty_xdp");
  lab.forward_by_stack(Empty::kXdpAndTc);
  row(lab, wanted, flows, "empty_xdp_tc");
  lab.forward_by_nsrp(1, false);
  settle(lab);
  row(lab, wanted, flows, "own_stack");
  lab.forward_by_nsrp(2, false);
  row(lab, wanted, flows, "own_stack_two_vsds");
  lab.forward_by_nsrp(1, true);
  lab.end_at(Sink::kXdp);
  settle(lab);
  row(lab, wanted, flows, "fast");
  lab.through_the_other_gateway();
  settle(lab);
  row(lab, wanted, flows, "crossed_fast");
  lab.forward_by_nsrp(1, false);
  lab.end_at(Sink::kStack);
  row(lab, wanted, flows, "crossed_stack");
}

void costs_of_programs() {
  for (const ProgramCost& cost : program_costs({1, 8, 64}, {10, 1000}))
    print({{"program", cost.program}, {"vsds", cost.vsds}, {"vsis", cost.vsis}, {"ns", cost.ns}});
}

uint64_t number(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Wanted wanted_of(int count, char** words) {
  Wanted wanted;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view option = words[i], value = words[i + 1];
    if (option == "--flows") wanted.flows.push_back(static_cast<uint32_t>(number(value)));
    if (option == "--row") wanted.rows.emplace_back(value);
    if (option == "--milliseconds") wanted.seconds = static_cast<double>(number(value)) / 1000;
    if (option == "--programs") wanted.programs = value == "yes";
  }
  return wanted;
}

// Source, gateway and sink share one processor, the last: its time is all there is.
void stay_on_one_processor() {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)) - 1), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) throw std::runtime_error("cannot stay on one processor");
}

void run(const Wanted& wanted) {
  test::leave_home_namespace();
  stay_on_one_processor();
  for (const uint32_t flows : wanted.flows) end_to_end(wanted, flows);
  if (wanted.programs) costs_of_programs();
}

}  // namespace
}  // namespace nsrp::bench

int main(int count, char** words) {
  try {
    nsrp::bench::run(nsrp::bench::wanted_of(count, words));
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "nsrp-datapath-bench: " << error.what() << "\n";
    return 1;
  }
}
