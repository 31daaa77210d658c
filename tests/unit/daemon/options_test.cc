// SPDX-License-Identifier: Apache-2.0
#include "daemon/options.h"

#include <doctest/doctest.h>
#include <getopt.h>

#include <vector>

using namespace nsrp;
using namespace nsrp::daemon;

namespace {

Result<Options> parse(std::vector<std::string> words) {
  words.insert(words.begin(), "nsrpd");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  optind = 0;  // getopt starts afresh
  return parse_options(static_cast<int>(words.size()), argv.data());
}

}  // namespace

TEST_CASE("the contract for scripts: -c, -r, -b, --keep, with their defaults") {
  const auto defaults = parse({});
  REQUIRE(defaults.has_value());
  CHECK(defaults->config_file == "/etc/nsrp/nsrp.conf");
  CHECK(defaults->run_dir == "/run/nsrp");
  CHECK(defaults->bpf_dir == "/sys/fs/bpf/nsrp");
  CHECK(!defaults->keep);
  const auto given = parse({"-c", "f", "-r", "r", "-b", "b", "--keep"});
  REQUIRE(given.has_value());
  CHECK(given->config_file == "f");
  CHECK(given->run_dir == "r");
  CHECK(given->bpf_dir == "b");
  CHECK(given->keep);
}

TEST_CASE("nothing is recorded unless a file is named") {
  CHECK(parse({})->record_file.empty());
  CHECK(parse({"--record", "f.jsonl"})->record_file == "f.jsonl");
  CHECK(parse({"--record"}).error().message.find("--record") != std::string::npos);
}

TEST_CASE("a bad option is named") {
  CHECK(parse({"--foo"}).error().message.find("--foo") != std::string::npos);
  CHECK(parse({"-c"}).error().message.find("-c") != std::string::npos);
  CHECK(parse({"word"}).error().message.find("word") != std::string::npos);
  CHECK(parse({"--max-sessions", "12x"}).error().message.find("1024-16777216") != std::string::npos);
  CHECK(parse({"--event-ring", "2048"}).error().message.find("4096-268435456") != std::string::npos);
  CHECK(parse({"--event-ring", "5000"}).error().message.find("power of two") != std::string::npos);
}

TEST_CASE("the session table and its ring have the size that is asked for") {
  CHECK(parse({})->max_sessions == 0);
  CHECK(parse({})->event_ring_bytes == 0);
  CHECK(parse({"--max-sessions", "1024"})->max_sessions == 1024);
  CHECK(parse({"--event-ring", "4096"})->event_ring_bytes == 4096);
}
