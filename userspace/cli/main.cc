// SPDX-License-Identifier: Apache-2.0
// nsrp -r RUNDIR [--json] WORDS…   Exit 0 done, 1 refused (the reason on stderr), 2 no daemon.
#include <cstdio>
#include <string>
#include <vector>

#include "cli/session.h"
#include "cli/shell.h"

namespace {

const char kUsage[] =
    "usage: nsrp [-r RUNDIR] [--json] [WORDS...]\n"
    "  -r, --run-dir DIR  where the daemon's control socket is (default /run/nsrp)\n"
    "      --json         reports as JSON\n"
    "  -V, --version      print the version\n"
    "  -h, --help         print this\n"
    "Without WORDS the command line is interactive; end a line with ? for help.\n";

struct Arguments {
  std::string run_dir = "/run/nsrp";
  bool json = false;
  std::vector<std::string> words;
};

// Options come first: the words may hold anything, also what looks like an option.
int parse(int argc, char** argv, Arguments& arguments) {
  int i = 1;
  for (; i < argc && argv[i][0] == '-'; ++i) {
    const std::string option = argv[i];
    if (option == "-h" || option == "--help") {
      std::fputs(kUsage, stdout);
      return 0;
    }
    if (option == "-V" || option == "--version") {
      std::puts("nsrp " NSRP_VERSION);
      return 0;
    }
    if (option == "--json") {
      arguments.json = true;
    } else if ((option == "-r" || option == "--run-dir") && i + 1 < argc) {
      arguments.run_dir = argv[++i];
    } else {
      std::fprintf(stderr, "nsrp: unknown option or missing value: \"%s\"; see nsrp --help\n", option.c_str());
      return 1;
    }
  }
  arguments.words.assign(argv + i, argv + argc);
  return -1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (const int exit = parse(argc, argv, arguments); exit >= 0) return exit;
  const nsrp::cli::Session session(arguments.run_dir + "/nsrpd.sock", arguments.json);
  if (arguments.words.empty()) return nsrp::cli::run_shell(session);
  const nsrp::Result<nsrp::cli::Answer> answer = session.run(arguments.words);
  if (!answer) {
    std::fprintf(stderr, "nsrp: %s\n", answer.error().message.c_str());
    return 2;
  }
  std::fputs(answer->out.c_str(), stdout);
  if (answer->exit != 0) std::fprintf(stderr, "nsrp: %s\n", answer->err.c_str());
  return answer->exit;
}
