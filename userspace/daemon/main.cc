// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include <cstdio>

#include "daemon/daemon.h"

namespace {

int complain(const std::string& sentence) {
  std::fprintf(stderr, "nsrpd: %s\n", sentence.c_str());
  return 1;
}

// Heartbeats must not wait for a page. MCL_ONFAULT: only what is used is locked, so that large reservations (thread
// stacks, a sanitizer's shadow) cost nothing.
void lock_memory() {
  (void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

}  // namespace

int main(int argc, char** argv) {
  nsrp::Result<nsrp::daemon::Options> options = nsrp::daemon::parse_options(argc, argv);
  if (!options) return complain(options.error().message);
  if (options->help) {
    std::fputs(nsrp::daemon::usage().c_str(), stdout);
    return 0;
  }
  if (options->version) {
    std::puts("nsrpd " NSRP_VERSION);
    return 0;
  }
  lock_memory();
  auto daemon = nsrp::daemon::Daemon::create(std::move(*options));
  if (!daemon) return complain(daemon.error().message);
  (*daemon)->run();
  return 0;
}
