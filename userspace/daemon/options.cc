// SPDX-License-Identifier: Apache-2.0
#include "daemon/options.h"

#include <getopt.h>

#include <bit>
#include <charconv>
#include <string_view>

namespace nsrp::daemon {
namespace {

Result<uint32_t> parse_number(const std::string& option, std::string_view word, uint32_t low, uint32_t high) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{} || end != word.data() + word.size() || number < low || number > high) {
    return fail("\"" + std::string(word) + "\" is out of range for " + option + "; allowed: " + std::to_string(low) +
                "-" + std::to_string(high));
  }
  return number;
}

}  // namespace

std::string usage() {
  return "usage: nsrpd [-c FILE] [-r RUNDIR] [-b BPFDIR] [--max-sessions N] [--event-ring BYTES] [--keep] [--record "
         "FILE]\n"
         "  -c, --config FILE      configuration file (default /etc/nsrp/nsrp.conf)\n"
         "  -r, --run-dir DIR      control socket and lock file (default /run/nsrp)\n"
         "  -b, --bpf-dir DIR      where maps and programs are pinned (default /sys/fs/bpf/nsrp)\n"
         "      --max-sessions N   size of the session map, whatever the configuration says (at most 16777216)\n"
         "      --event-ring BYTES ring from the data path to the daemon, a power of two (default 4194304); what finds "
         "no\n"
         "                         room in it is found by a sweep, later\n"
         "      --record FILE      write every input and answer of the election to FILE, to be played back\n"
         "      --keep             for a restart: SIGTERM leaves mastership, programs, maps, addresses, routes\n"
         "  -V, --version          print the version\n"
         "  -h, --help             print this\n"
         "Acts in the network namespace it is started in.\n";
}

Result<Options> parse_options(int argc, char** argv) {
  static constexpr int kKeep = 256, kMaxSessions = 257, kRecord = 258, kEventRing = 259;
  static const option kLong[] = {{"config", required_argument, nullptr, 'c'},
                                 {"run-dir", required_argument, nullptr, 'r'},
                                 {"bpf-dir", required_argument, nullptr, 'b'},
                                 {"max-sessions", required_argument, nullptr, kMaxSessions},
                                 {"event-ring", required_argument, nullptr, kEventRing},
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
        const Result<uint32_t> number = parse_number("--max-sessions", optarg, 1024, 1u << 24);
        if (!number) return fail(number.error());
        options.max_sessions = *number;
        break;
      }
      case kEventRing: {
        const Result<uint32_t> number = parse_number("--event-ring", optarg, 4096, 1u << 28);
        if (!number) return fail(number.error());
        if (!std::has_single_bit(*number))
          return fail("--event-ring takes a power of two, not " + std::to_string(*number));
        options.event_ring_bytes = *number;
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
