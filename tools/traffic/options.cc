// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <charconv>
#include <map>
#include <string_view>

namespace nsrp::traffic {

const char* const kUsage =
    "usage: nsrp-traffic server [--tcp PORT] [--udp PORT]\n"
    "       nsrp-traffic client --server ADDRESS [--tcp-port PORT --connections N] [--udp-port PORT --udp-rate PPS]\n"
    "                    [--udp-flows N] [--message-interval-ms N] [--message-bytes N] [--duration SECONDS]\n"
    "                    [--drain SECONDS] [--progress]\n";

namespace {

// Each option is a name, the range it allows and where its number goes.
struct Number {
  uint32_t low, high;
  uint32_t* to;
};
using Numbers = std::map<std::string_view, Number>;

Status parse_number(std::string_view name, std::string_view text, const Number& number) {
  uint32_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < number.low || value > number.high)
    return fail(std::string(name) + " takes a number from " + std::to_string(number.low) + " to " +
                std::to_string(number.high) + ", not '" + std::string(text) + "'");
  *number.to = value;
  return {};
}

Status parse_words(std::span<char* const> args, const Numbers& numbers, std::string* server, bool* progress) {
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string_view name = args[i];
    if (progress && name == "--progress") {
      *progress = true;
      continue;
    }
    const bool is_server = server && name == "--server";
    const auto number = numbers.find(name);
    if (!is_server && number == numbers.end()) return fail("unknown option '" + std::string(name) + "'");
    if (i + 1 == args.size()) return fail(std::string(name) + " needs a value");
    const std::string_view value = args[++i];
    if (is_server) {
      *server = value;
    } else if (Status done = parse_number(name, value, number->second); !done) {
      return done;
    }
  }
  return {};
}

Result<Options> parse_server(std::span<char* const> args) {
  uint32_t tcp = 0, udp = 0;
  const Numbers numbers{{"--tcp", {1, 65535, &tcp}}, {"--udp", {1, 65535, &udp}}};
  if (Status done = parse_words(args, numbers, nullptr, nullptr); !done) return fail(done.error());
  if (tcp == 0 && udp == 0) return fail("server needs --tcp or --udp");
  return ServerOptions{static_cast<uint16_t>(tcp), static_cast<uint16_t>(udp)};
}

Result<Options> parse_client(std::span<char* const> args) {
  ClientOptions o;
  uint32_t tcp = 0, udp = 0, duration_s = 0, drain_s = o.drain_ms / 1000;
  const Numbers numbers{{"--tcp-port", {1, 65535, &tcp}},
                        {"--udp-port", {1, 65535, &udp}},
                        {"--connections", {0, 20000, &o.connections}},
                        {"--message-interval-ms", {1, 60000, &o.message_interval_ms}},
                        {"--message-bytes", {8, 1 << 20, &o.message_bytes}},
                        {"--udp-rate", {0, 1000000, &o.udp_rate}},
                        {"--udp-flows", {1, 20000, &o.udp_flows}},
                        {"--duration", {1, 86400, &duration_s}},
                        {"--drain", {0, 600, &drain_s}}};
  if (Status done = parse_words(args, numbers, &o.server, &o.progress); !done) return fail(done.error());
  o.tcp_port = static_cast<uint16_t>(tcp);
  o.udp_port = static_cast<uint16_t>(udp);
  o.duration_ms = duration_s * 1000;
  o.drain_ms = drain_s * 1000;
  if (o.server.empty()) return fail("client needs --server");
  if (o.message_bytes % 8 != 0) return fail("--message-bytes takes a multiple of 8");
  if (o.connections > 0 && o.tcp_port == 0) return fail("--connections needs --tcp-port");
  if (o.udp_rate > 0 && o.udp_port == 0) return fail("--udp-rate needs --udp-port");
  if (o.connections == 0 && o.udp_rate == 0) return fail("client needs --connections or --udp-rate");
  return o;
}

}  // namespace

Result<Options> parse_options(std::span<char* const> args) {
  const std::string_view mode = args.empty() ? "" : args[0];
  if (mode == "server") return parse_server(args.subspan(1));
  if (mode == "client") return parse_client(args.subspan(1));
  return fail("the first word is 'server' or 'client'");
}

}  // namespace nsrp::traffic
