// SPDX-License-Identifier: Apache-2.0
// Lives of clusters by seed:
//   nsrp_sim [--seeds N] [--first S] [--jobs J]       sums up, and tells the first failure made short
//   nsrp_sim … --every                                names each failure, with its seed
//   nsrp_sim --seed S [--trace LINES] [--no-shrink]   tells one life
//   nsrp_sim --seed S … --records DIR                 also what each member was told and answered, as golden cases
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "sim/shrink.h"

namespace nsrp::sim {

namespace {

struct Options {
  uint64_t seeds = 500, first = 1, jobs = 0;
  std::optional<uint64_t> only;
  size_t trace = 0;
  std::string records;  // a folder
  bool shorten = true, every = false;
};

struct Sum {
  uint64_t lives = 0, events = 0, milliseconds = 0, broken = 0, first_broken = 0;
  Tally tally;
};

void add(Sum& to, const Sum& more) {
  to.lives += more.lives;
  to.events += more.events;
  to.milliseconds += more.milliseconds;
  if (more.broken > 0 && (to.broken == 0 || more.first_broken < to.first_broken)) to.first_broken = more.first_broken;
  to.broken += more.broken;
  to.tally.takeovers += more.tally.takeovers;
  to.tally.overlaps += more.tally.overlaps;
  to.tally.conflicts += more.tally.conflicts;
  to.tally.handovers += more.tally.handovers;
  to.tally.seamless += more.tally.seamless;
}

// One of several processes: every jobs-th seed, until one breaks.
Sum live(const Options& options, uint64_t job) {
  Sum sum;
  for (uint64_t seed = options.first + job; seed < options.first + options.seeds; seed += options.jobs) {
    const Outcome outcome = play(make_scenario(seed));
    const uint64_t ms = static_cast<uint64_t>(to_ms(outcome.simulated));
    add(sum, {.lives = 1,
              .events = outcome.events,
              .milliseconds = ms,
              .broken = outcome.broken ? uint64_t{1} : 0,
              .first_broken = seed,
              .tally = outcome.tally});
    if (outcome.broken && options.every) {
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), outcome.broken->c_str());
      std::fflush(stdout);
    }
    if (outcome.broken && !options.every) break;
  }
  return sum;
}

Sum live_side_by_side(const Options& options) {
  std::vector<std::pair<pid_t, int>> children;
  for (uint64_t job = 0; job < options.jobs; ++job) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    const pid_t child = fork();
    if (child < 0) std::abort();
    if (child == 0) {
      const Sum sum = live(options, job);
      const bool told = write(ends[1], &sum, sizeof sum) == sizeof sum;
      std::_Exit(told ? 0 : 1);
    }
    close(ends[1]);
    children.emplace_back(child, ends[0]);
  }
  Sum total;
  for (const auto& [child, end] : children) {
    Sum sum;
    const bool told = read(end, &sum, sizeof sum) == sizeof sum;
    close(end);
    int status = 0;
    waitpid(child, &status, 0);
    if (!told || status != 0) {
      std::fprintf(stderr, "a worker died\n");
      std::exit(2);
    }
    add(total, sum);
  }
  return total;
}

int tell(uint64_t seed, const Options& options) {
  Scenario scenario = make_scenario(seed);
  Outcome outcome = play(scenario);
  if (outcome.broken && options.shorten) {
    const size_t before = scenario.events.size();
    scenario = shrink(std::move(scenario));
    std::printf("seed %llu breaks; %zu events made %zu\n", static_cast<unsigned long long>(seed), before,
                scenario.events.size());
  }
  outcome =
      play(scenario, {.trace_lines = outcome.broken || options.trace > 0 ? std::max<size_t>(options.trace, 60) : 0,
                      .records = !options.records.empty()});
  for (size_t id = 0; id < outcome.records.size(); ++id) {
    std::ofstream(options.records + "/node" + std::to_string(id) + ".jsonl") << outcome.records[id];
  }
  std::printf("%s%s\n%s\n", to_lines(scenario).c_str(), outcome.trace.c_str(),
              outcome.broken ? outcome.broken->c_str() : "it lives well");
  return outcome.broken ? 1 : 0;
}

int live_all(const Options& options) {
  const auto begun = std::chrono::steady_clock::now();
  const Sum sum = live_side_by_side(options);
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  const double days = static_cast<double>(sum.milliseconds) / 86'400'000;
  std::printf(
      "%llu lives, %.1f days (%.1f months) of simulated time, %llu events, %llu takeovers, "
      "%llu excused second masters, %llu of %llu handovers without a gap, %llu conflicts settled; %.0f s\n",
      static_cast<unsigned long long>(sum.lives), days, days / 30.4, static_cast<unsigned long long>(sum.events),
      static_cast<unsigned long long>(sum.tally.takeovers), static_cast<unsigned long long>(sum.tally.overlaps),
      static_cast<unsigned long long>(sum.tally.seamless), static_cast<unsigned long long>(sum.tally.handovers),
      static_cast<unsigned long long>(sum.tally.conflicts), took);
  if (sum.broken == 0) return 0;
  return options.every ? 1 : tell(sum.first_broken, options);
}

[[noreturn]] void usage() {
  std::fprintf(stderr,
               "usage: nsrp_sim [--seeds N] [--first S] [--jobs J] [--every] | --seed S [--trace LINES] [--no-shrink] "
               "[--records DIR]\n");
  std::exit(2);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--no-shrink" || word == "--every") {
      (word == "--every" ? options.every : options.shorten) = word == "--every";
      continue;
    }
    if (i + 1 >= argc) usage();
    if (word == "--records") {
      options.records = argv[++i];
      continue;
    }
    char* end = nullptr;
    const uint64_t number = std::strtoull(argv[++i], &end, 10);
    if (end == argv[i] || *end != '\0') usage();
    if (word == "--seeds") {
      options.seeds = number;
    } else if (word == "--first") {
      options.first = number;
    } else if (word == "--jobs") {
      options.jobs = number;
    } else if (word == "--seed") {
      options.only = number;
    } else if (word == "--trace") {
      options.trace = number;
    } else {
      usage();
    }
  }
  if (options.jobs == 0) options.jobs = std::max(1U, std::thread::hardware_concurrency());
  return options;
}

}  // namespace

}  // namespace nsrp::sim

int main(int argc, char** argv) {
  const nsrp::sim::Options options = nsrp::sim::parse(argc, argv);
  return options.only ? nsrp::sim::tell(*options.only, options) : nsrp::sim::live_all(options);
}
