// SPDX-License-Identifier: Apache-2.0
// The grammar: one table of commands, from which parsing, abbreviation, errors, completion, printing and the
// documentation come. A row says it all:
//
//   {"set nsrp arp <announcements>", CommandId::kSet, "How often a new master announces its VSIs",
//    Propagation::kAlways, apply, print}
//
// In a syntax, <name> is a variable of variables.cc and [ … ] may be left out.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/language.h"
#include "config/variables.h"

namespace nsrp::config {

// Whether a command goes to the other members of the cluster too (manual ch. 1, Table 1).
enum class Propagation : uint8_t {
  kNever,
  kAlways,
  kUnlessLocal,  // not if the interface it names is a local interface
};

// The variable words of one command. `has` is false for what stood in brackets and was left out.
class Values {
 public:
  explicit Values(std::vector<std::pair<std::string_view, std::string>> values) : values_(std::move(values)) {}

  bool has(std::string_view name) const { return find(name) != nullptr; }
  const std::string& text(std::string_view name) const;
  const std::string& only() const { return values_.at(0).second; }
  uint32_t number(std::string_view name) const;
  VsdId vsd() const { return VsdId{static_cast<uint8_t>(number("vsd"))}; }
  VsiName vsi() const { return split_vsi(text("vsi")); }
  Prefix prefix(std::string_view name) const { return Prefix::parse(text(name)).value(); }
  IpAddress address(std::string_view name) const { return IpAddress::parse(text(name)).value(); }

 private:
  const std::string* find(std::string_view name) const;
  std::vector<std::pair<std::string_view, std::string>> values_;
};

// What a row prints: for each command the row's variables in order, "" for one left out. No entry: nothing to print.
using Printed = std::vector<std::vector<std::string>>;

using Apply = Status (*)(Config&, const Values&);
using Print = Printed (*)(const Config&);

struct Row {  // NOLINT(clang-analyzer-optin.performance.Padding): in the order in which a row is read
  std::string_view syntax;
  CommandId id;
  std::string_view help;
  Propagation propagation = Propagation::kNever;
  Apply apply = nullptr;  // of kSet rows
  Print print = nullptr;  // of the rows a configuration is printed with
};

// The table in parts; print() follows this order.
struct Area {
  std::string_view title;
  std::span<const Row> rows;
};
std::span<const Row> system_rows();
std::span<const Row> nsrp_rows();
std::span<const Row> vsd_rows();
std::span<const Row> interface_rows();
std::span<const Row> path_rows();
std::span<const Row> vrouter_rows();
std::span<const Row> operation_rows();

// A row's syntax with its brackets resolved: one form for each way to write the command.
struct Token {
  std::string_view keyword;  // "" for a variable
  const Variable* variable = nullptr;
};
struct Form {
  size_t row;
  std::vector<Token> tokens;
};

struct Grammar {
  std::vector<Area> areas;
  std::vector<Row> rows;
  std::vector<Form> forms;  // in order of their words
};
const Grammar& grammar();

// What a keyword in the middle of commands leads to, for `?`. `path`: the keywords so far without the verb.
std::string_view topic_help(std::string_view path);

}  // namespace nsrp::config
