// SPDX-License-Identifier: Apache-2.0
// nsrp-traffic: an echo server and a client that measures what a failover costs.
#include <sys/resource.h>

#include <cstdio>
#include <span>

#include "client.h"
#include "options.h"
#include "server.h"

namespace {

using namespace nsrp;
using namespace nsrp::traffic;

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// It is light, and on a busy machine its lateness would be taken for the network's. Without privileges it stays as it
// is.
void ask_for_promptness() {
  setpriority(PRIO_PROCESS, 0, -15);
}

struct Run {
  Status operator()(const ServerOptions& o) const { return run_server(o); }
  Status operator()(const ClientOptions& o) const { return run_client(o); }
};

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse_options(std::span(argv, static_cast<size_t>(argc)).subspan(1));
  if (!options) {
    std::fprintf(stderr, "nsrp-traffic: %s\n%s", options.error().message.c_str(), kUsage);
    return 2;
  }
  raise_descriptor_limit();
  ask_for_promptness();
  if (const Status done = std::visit(Run{}, *options); !done) {
    std::fprintf(stderr, "nsrp-traffic: %s\n", done.error().message.c_str());
    return 1;
  }
  return 0;
}
