// SPDX-License-Identifier: Apache-2.0
// What the command line of nsrp-sessions says.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "flow.h"
#include "packet.h"

namespace nsrp::sessions {

struct CompareOptions {
  std::string first, second;  // network namespaces
  std::vector<Prefix> ignored;
  size_t examples = 20;
};

struct StormOptions {
  std::string interface;
  std::array<uint8_t, 6> to_mac{};
  Numbering numbering;
  uint64_t first = 0, count = 0;
  double rate = 0;  // sessions per second; 0: as fast as it goes
};

struct LatencyOptions {
  std::string observed;  // the namespace whose conntrack is asked
  Numbering numbering;
  uint64_t first = 0, count = 0;
  uint32_t interval_ms = 10;
};

using Options = std::variant<CompareOptions, StormOptions, LatencyOptions>;

Result<Options> parse_options(std::span<char* const> args);
extern const char* const kUsage;

}  // namespace nsrp::sessions
