// SPDX-License-Identifier: Apache-2.0
// The variable words of the language: what each takes, how it is checked, how it is shown.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "config/model.h"

namespace nsrp::config {

enum class Kind : uint8_t {
  kNumber,
  kName,        // free text of a name
  kHostname,    // without blanks
  kInterface,   // a Linux interface
  kVsi,         // a Linux interface, or interface:VSD
  kHostPrefix,  // an address with its subnet's prefix length
  kNetwork,     // a subnet: no host bits
  kAddress,
  kChoice,
  kMac,
  kMark,    // 32 bits, decimal or 0x…; spelled as 0x…
  kSecret,  // a password: no message repeats it
};

// What stands for a password wherever a command is shown.
inline constexpr std::string_view kMask = "***";

struct Variable {
  std::string_view name;  // in a row's syntax: <priority>
  Kind kind;
  std::string_view meaning;               // in messages: "300" is out of range for priority
  uint32_t min = 0, max = 0;              // of a number
  std::optional<uint32_t> standard = {};  // the default of a number
  std::span<const std::string_view> choices = {};
};

// The variable of that name. The table asks for known names only: anything else is a programming error and throws.
const Variable& variable(std::string_view name);
std::span<const Variable> all_variables();

// The word in its one spelling ("007" → "7", "eth1:0" → "eth1", IPv6 shortened), or why it will not do.
Result<std::string> check(const Variable& variable, const std::string& word);

std::string expectation(const Variable& variable);   // "number of announcements (1-16)"
std::string hint(const Variable& variable);          // "<announcements:1-16>"
std::string range_text(const Variable& variable);    // "1-16", "A.B.C.D/M or X::Y/M", …
std::string default_text(const Variable& variable);  // "4"; "" when there is none

// "eth1" or "eth1:1" taken apart. Only for words that passed check().
struct VsiName {
  std::string ifname;
  VsdId vsd;
};
VsiName split_vsi(const std::string& name);

// Why no host can have this address in this subnet; nullopt: it can.
std::optional<std::string> unusable_host(const Prefix& prefix);

}  // namespace nsrp::config
