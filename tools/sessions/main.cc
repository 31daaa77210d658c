// SPDX-License-Identifier: Apache-2.0
// nsrp-sessions: the gateways' sessions as an outsider sees and makes them. One line of JSON on standard output.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <span>

#include "compare.h"
#include "ctnetlink_reader.h"
#include "latency.h"
#include "options.h"
#include "storm.h"

namespace {

using namespace nsrp;
using namespace nsrp::sessions;

constexpr int kDone = 0, kDifferent = 1, kFailed = 2;

void print(const nlohmann::json& json) {
  std::printf("%s\n", json.dump().c_str());
}

Result<std::vector<Flow>> read_table(const std::string& name, const std::vector<Prefix>& ignored) {
  Result<CtnetlinkReader> reader = CtnetlinkReader::open(name);
  if (!reader) return fail(reader.error());
  Result<std::vector<Flow>> flows = reader->all();
  if (!flows) return fail(flows.error());
  std::erase_if(*flows, [&](const Flow& flow) {
    return std::any_of(ignored.begin(), ignored.end(), [&](const Prefix& prefix) { return touches(flow, prefix); });
  });
  return flows;
}

struct Run {
  Result<int> operator()(const CompareOptions& o) const {
    Result<std::vector<Flow>> first = read_table(o.first, o.ignored), second = read_table(o.second, o.ignored);
    if (!first) return fail(first.error());
    if (!second) return fail(second.error());
    const Comparison found = compare(*first, *second, o.examples);
    print({{"first", found.first},
           {"second", found.second},
           {"only_first", found.only_first},
           {"only_second", found.only_second},
           {"different", found.different},
           {"examples", found.examples}});
    return found.equal() ? kDone : kDifferent;
  }

  Result<int> operator()(const StormOptions& o) const {
    const Result<StormResult> done = run_storm(o);
    if (!done) return fail(done.error());
    print({{"sent", done->sent},
           {"refused", done->refused},
           {"seconds", done->seconds},
           {"cpu_seconds", done->cpu_seconds}});
    return kDone;
  }

  Result<int> operator()(const LatencyOptions& o) const {
    const Result<LatencyResult> done = measure_latency(o);
    if (!done) return fail(done.error());
    print({{"missing", done->missing}, {"milliseconds", done->milliseconds}});
    return kDone;
  }
};

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse_options(std::span(argv, static_cast<size_t>(argc)).subspan(1));
  if (!options) {
    std::fprintf(stderr, "nsrp-sessions: %s\n%s", options.error().message.c_str(), kUsage);
    return kFailed;
  }
  const Result<int> done = std::visit(Run{}, *options);
  if (done) return *done;
  std::fprintf(stderr, "nsrp-sessions: %s\n", done.error().message.c_str());
  return kFailed;
}
