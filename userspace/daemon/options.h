// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"

namespace nsrp::daemon {

struct Options {
  std::string config_file = "/etc/nsrp/nsrp.conf";
  std::string run_dir = "/run/nsrp";
  std::string bpf_dir = "/sys/fs/bpf/nsrp";
  uint32_t max_sessions = 0;      // 0: as configured
  uint32_t event_ring_bytes = 0;  // 0: the default of the data path
  std::string record_file;        // "": none
  bool keep = false;              // SIGTERM leaves programs, maps, addresses and routes in place
  bool help = false, version = false;
};

Result<Options> parse_options(int argc, char** argv);
std::string usage();

}  // namespace nsrp::daemon
