// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstdio>
#include <functional>
#include <map>
#include <string_view>

namespace nsrp::sessions {

const char* const kUsage =
    "usage: nsrp-sessions compare NAMESPACE NAMESPACE [--ignore PREFIX]… [--examples N]\n"
    "           the conntrack tables of two hosts, entry by entry; exits 0 when they are equal, 1 when not\n"
    "       nsrp-sessions storm --interface NAME --to-mac MAC --from ADDRESS --to ADDRESS --count N [--first N]\n"
    "                     [--rate SESSIONS/S] [--to-port PORT]\n"
    "           UDP sessions, a packet each, from the host it is run in\n"
    "       nsrp-sessions latency --observed NAMESPACE --from ADDRESS --to ADDRESS --count N [--first N]\n"
    "                     [--interval-ms N] [--to-port PORT]\n"
    "           how long after the first packet of a session another host's conntrack knows the session\n";

namespace {

using Take = std::function<Status(const std::string& value)>;
using Table = std::map<std::string_view, Take>;

template <class Number>
Take number(Number* to) {
  return [to](const std::string& text) -> Status {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *to);
    if (error != std::errc{} || end != text.data() + text.size()) return fail("'" + text + "' is no number in range");
    return {};
  };
}

Take word(std::string* to) {
  return [to](const std::string& text) -> Status {
    *to = text;
    return {};
  };
}

Take address(Address* to) {
  return [to](const std::string& text) -> Status {
    if (inet_pton(AF_INET, text.c_str(), to->data()) != 1) return fail("'" + text + "' is no IPv4 address");
    return {};
  };
}

Take mac(std::array<uint8_t, 6>* to) {
  return [to](const std::string& text) -> Status {
    auto& m = *to;
    if (std::sscanf(text.c_str(), "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]) != 6)
      return fail("'" + text + "' is no MAC address");
    return {};
  };
}

Take prefixes(std::vector<Prefix>* to) {
  return [to](const std::string& text) -> Status {
    const Result<Prefix> prefix = Prefix::parse(text);
    if (!prefix) return fail(prefix.error());
    to->push_back(*prefix);
    return {};
  };
}

Status take_all(std::span<char* const> args, const Table& table) {
  for (size_t i = 0; i < args.size(); i += 2) {
    const std::string name = args[i];
    const auto found = table.find(name);
    if (found == table.end()) return fail("unknown option '" + name + "'");
    if (i + 1 == args.size()) return fail(name + " needs a value");
    if (Status taken = found->second(args[i + 1]); !taken) return fail(name + ": " + taken.error().message);
  }
  return {};
}

Status check_numbers(const Numbering& numbering, uint64_t first, uint64_t count) {
  if (count == 0) return fail("--count is needed");
  if (numbering.from == Address{} || numbering.to == Address{}) return fail("--from and --to are needed");
  const uint64_t most = uint64_t{kPorts} * (65536 - numbering.first_to_port);
  if (first + count > most) return fail("there are only " + std::to_string(most) + " sessions between two addresses");
  return {};
}

Table numbering_table(Numbering& numbering, uint64_t& first, uint64_t& count) {
  return {{"--from", address(&numbering.from)},
          {"--to", address(&numbering.to)},
          {"--to-port", number(&numbering.first_to_port)},
          {"--first", number(&first)},
          {"--count", number(&count)}};
}

Result<Options> parse_compare(std::span<char* const> args) {
  CompareOptions options;
  if (args.size() < 2) return fail("compare needs two namespaces");
  options.first = args[0];
  options.second = args[1];
  const Table table{{"--ignore", prefixes(&options.ignored)}, {"--examples", number(&options.examples)}};
  if (Status taken = take_all(args.subspan(2), table); !taken) return fail(taken.error());
  return options;
}

Result<Options> parse_storm(std::span<char* const> args) {
  StormOptions options;
  Table table = numbering_table(options.numbering, options.first, options.count);
  table.insert({{"--interface", word(&options.interface)},
                {"--to-mac", mac(&options.to_mac)},
                {"--rate", number(&options.rate)}});
  if (Status taken = take_all(args, table); !taken) return fail(taken.error());
  if (Status sound = check_numbers(options.numbering, options.first, options.count); !sound) return fail(sound.error());
  if (options.interface.empty()) return fail("--interface is needed");
  return options;
}

Result<Options> parse_latency(std::span<char* const> args) {
  LatencyOptions options;
  Table table = numbering_table(options.numbering, options.first, options.count);
  table.insert({{"--observed", word(&options.observed)}, {"--interval-ms", number(&options.interval_ms)}});
  if (Status taken = take_all(args, table); !taken) return fail(taken.error());
  if (Status sound = check_numbers(options.numbering, options.first, options.count); !sound) return fail(sound.error());
  if (options.observed.empty()) return fail("--observed is needed");
  return options;
}

}  // namespace

Result<Options> parse_options(std::span<char* const> args) {
  const std::string_view what = args.empty() ? "" : args[0];
  if (what == "compare") return parse_compare(args.subspan(1));
  if (what == "storm") return parse_storm(args.subspan(1));
  if (what == "latency") return parse_latency(args.subspan(1));
  return fail("the first word is 'compare', 'storm' or 'latency'");
}

}  // namespace nsrp::sessions
