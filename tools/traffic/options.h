// SPDX-License-Identifier: Apache-2.0
// What the command line of nsrp-traffic says.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>

#include "base/result.h"

namespace nsrp::traffic {

struct ServerOptions {
  uint16_t tcp_port = 0;  // 0: none
  uint16_t udp_port = 0;
};

struct ClientOptions {
  std::string server;
  uint16_t tcp_port = 0;
  uint16_t udp_port = 0;
  uint32_t connections = 0;
  uint32_t message_interval_ms = 50;
  uint32_t message_bytes = 64;  // a multiple of 8
  uint32_t udp_rate = 0;        // packets per second over all flows
  uint32_t udp_flows = 1;       // sockets, so sessions, they are spread over
  uint32_t duration_ms = 0;     // 0: until SIGTERM, SIGINT or the line "stop" on standard input
  uint32_t drain_ms = 10000;    // how long TCP may take to deliver what is outstanding at the end
  bool progress = false;        // a line of JSON every second
};

using Options = std::variant<ServerOptions, ClientOptions>;

Result<Options> parse_options(std::span<char* const> args);
extern const char* const kUsage;

}  // namespace nsrp::traffic
