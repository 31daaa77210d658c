// SPDX-License-Identifier: Apache-2.0
#include "daemon/options.h"

#include <getopt.h>

#include <charconv>
#include <cstring>

namespace nsrp::daemon {

std::string usage() {
  return "usage: nsrpd [-c FILE] [-r RUNDIR] [-b BPFDIR] [--max-sessions N] [--keep] [--record FILE]\n"
         "  -c, --config FILE      configuration file (default /etc/nsrp/nsrp.conf)\n"
         "  -r, --run-dir DIR      control socket and lock file (default /run/nsrp)\n"
         "  -b, --bpf-dir DIR      where maps and programs are pinned (default /sys/fs/bpf/nsrp)\n"
         "      --max-sessions N   size of the session map, whatever the configuration says (at most 16777216)\n"
         "      --record FILE      write every input and answer of the election to FILE, to be played back\n"
         "      --keep             on SIGTERM leave programs, maps, addresses and routes in place\n"
         "  -V, --version          print the version\n"
         "  -h, --help             print this\n"
         "Acts in the network namespace it is started in.\n";
}

Result<Options> parse_options(int argc, char** argv) {
  static constexpr int kKeep = 256, kMaxSessions = 257, kRecord = 258;
  static const option kLong[] = {{"config", required_argument, nullptr, 'c'},
                                 {"run-dir", required_argument, nullptr, 'r'},
                                 {"bpf-dir", required_argument, nullptr, 'b'},
                                 {"max-sessions", required_argument, nullptr, kMaxSessions},
                                 {"keep", no_argument, nullptr, kKeep},
                                 {"record", required_argument, nullptr, kRecord},
                                 {"version", no_argument, nullptr, 'V'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {nullptr, 0, nullptr, 0}};
  Options options;
  opterr = 0;
  for (int c; (c = getopt_long(argc, argv, ":c:r:b:Vh", kLong, nullptr)) != -1;) {
    switch (c) {
      case 'c':
        options.config_file = optarg;
        break;
      case 'r':
        options.run_dir = optarg;
        break;
      case 'b':
        options.bpf_dir = optarg;
        break;
      case 'V':
        options.version = true;
        break;
      case 'h':
        options.help = true;
        break;
      case kKeep:
        options.keep = true;
        break;
      case kRecord:
        options.record_file = optarg;
        break;
      case kMaxSessions: {
        const char* end = optarg + std::strlen(optarg);
        const auto [stop, error] = std::from_chars(optarg, end, options.max_sessions);
        if (error != std::errc{} || stop != end || options.max_sessions < 1024 || options.max_sessions > 1u << 24) {
          return fail("\"" + std::string(optarg) + "\" is out of range for --max-sessions; allowed: 1024-16777216");
        }
        break;
      }
      case ':':
        return fail("option \"" + std::string(argv[optind - 1]) + "\" needs a value");
      default:
        return fail("unknown option \"" + std::string(argv[optind - 1]) + "\"; see nsrpd --help");
    }
  }
  if (optind < argc) return fail("unexpected word \"" + std::string(argv[optind]) + "\"; see nsrpd --help");
  return options;
}

}  // namespace nsrp::daemon
