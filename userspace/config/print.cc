// SPDX-License-Identifier: Apache-2.0
// The configuration as commands, the commands that members share, and their checksum.
#include <algorithm>
#include <stdexcept>

#include "config/matching.h"

namespace nsrp::config {

namespace {

// A row's form with all brackets written has every variable of the row, in the order in which rows print values.
const Form& longest_form(size_t row) {
  const Form* longest = nullptr;
  for (const Form& form : grammar().forms) {
    if (form.row == row && (longest == nullptr || form.tokens.size() > longest->tokens.size())) longest = &form;
  }
  if (longest == nullptr) throw std::logic_error("grammar: row without a form");
  return *longest;
}

// The command with these values. A value left out takes its keyword along: [metric <metric>].
Words fill(const Form& form, const std::vector<std::string>& values) {
  Words words;
  size_t next = 0;
  for (const Token& token : form.tokens) {
    if (token.variable == nullptr) {
      words.emplace_back(token.keyword);
      continue;
    }
    const std::string& value = values.at(next++);
    if (value.empty()) {
      words.pop_back();
    } else {
      words.push_back(value);
    }
  }
  return words;
}

std::vector<Words> commands_of(const Config& config) {
  std::vector<Words> commands;
  const std::vector<Row>& rows = grammar().rows;
  for (size_t row = 0; row < rows.size(); ++row) {
    if (rows[row].print == nullptr) continue;
    const Form& form = longest_form(row);
    for (const std::vector<std::string>& values : rows[row].print(config)) commands.push_back(fill(form, values));
  }
  return commands;
}

// Whether the interface is one of a VSI of that VSD; nullopt: of any VSD.
bool is_shared(const Config& config, const std::string& ifname, std::optional<VsdId> vsd) {
  const auto interface = config.interfaces.find(ifname);
  if (config.cluster.value == 0 || interface == config.interfaces.end()) return false;
  const bool has_group = config.vsd_groups.contains(vsd.value_or(VsdId{0}));
  if ((interface->second.is_security() || interface->second.is_transparent()) && has_group) return true;
  return !vsd &&
         std::ranges::any_of(interface->second.addresses, [](const auto& of_vsd) { return of_vsd.first.value != 0; });
}

Config without_secrets(Config config) {
  config.auth_password = config.encrypt_password = {};
  return config;
}

Words masked(const Words& words) {
  const Result<Command> command = parse(words);
  if (!command) throw std::logic_error("grammar: a printed command does not parse");
  return command->shown;
}

uint64_t fnv1a64(uint64_t hash, std::string_view text) {
  for (char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace

std::string print(const Config& config, Secrets secrets) {
  std::string text;
  for (const Words& words : commands_of(secrets == Secrets::kLeftOut ? without_secrets(config) : config)) {
    text += join_words(secrets == Secrets::kMasked ? masked(words) : words) + "\n";
  }
  return text;
}

bool propagates(const Config& config, const Command& command) {
  Matching matching;
  for (const std::string& word : command.words) {
    if (!matching.feed(word)) return false;
  }
  const Form* form = matching.complete();
  if (form == nullptr) return false;
  const Propagation propagation = grammar().rows[form->row].propagation;
  if (propagation != Propagation::kUnlessLocal) return propagation == Propagation::kAlways;
  const Values values = values_of(*form, matching.words());
  if (values.has("vsi")) return is_shared(config, values.vsi().ifname, values.vsi().vsd);
  return !values.has("interface") || is_shared(config, values.text("interface"), {});
}

uint64_t checksum(const Config& config) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const Words& words : commands_of(config)) {
    const Result<Command> command = parse(words);
    if (command && propagates(config, *command)) hash = fnv1a64(hash, join_words(words) + "\n");
  }
  return hash;
}

}  // namespace nsrp::config
