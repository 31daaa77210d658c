// SPDX-License-Identifier: Apache-2.0
// A conntrack entry as one compares it: what must be equal on both gateways, and nothing that may differ (timeouts,
// counters, ids).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace nsrp::sessions {

using Address = std::array<uint8_t, 16>;  // IPv4 in the first four bytes

struct Direction {
  Address from{}, to{};
  uint16_t from_port = 0, to_port = 0;  // ICMP: identifier; type and code
  auto operator<=>(const Direction&) const = default;
};

// Where a flow stands. Classes instead of states: which of two closing states it is changes nothing for a takeover.
enum class Life : uint8_t { kOpening, kOpen, kClosing, kClosed, kUnreplied, kReplied, kStream };
std::string to_string(Life life);

struct Flow {
  uint8_t family = 0;  // AF_INET, AF_INET6
  uint8_t protocol = 0;
  uint16_t zone = 0;
  Direction original, reply;  // what they do not have in common is the translation
  Life life = Life::kUnreplied;
  bool source_nat = false, destination_nat = false;
  uint32_t mark = 0;
};

// By what an entry is the same one on both gateways.
std::strong_ordering by_name(const Flow& a, const Flow& b);
std::string to_string(const Flow& flow);
// What differs between two entries of one name: "translation", "state", "mark"; empty: nothing.
std::vector<std::string> differences(const Flow& a, const Flow& b);

// A prefix of addresses: "10.0.0.0/8", "fe80::/10".
struct Prefix {
  uint8_t family = 0;
  Address address{};
  unsigned bits = 0;
  static Result<Prefix> parse(const std::string& text);
  bool contains(const Address& other) const;
};
// True when one of the flow's addresses lies in the prefix.
bool touches(const Flow& flow, const Prefix& prefix);

}  // namespace nsrp::sessions
