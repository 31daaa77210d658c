// SPDX-License-Identifier: Apache-2.0
#include "config/grammar.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace nsrp::config {

namespace {

struct Topic {
  std::string_view path, help;
};

constexpr Topic kTopics[] = {
    {"set", "Change the configuration"},
    {"unset", "Return a setting to its default, remove an object"},
    {"get", "Show state and configuration"},
    {"exec", "Carry out an action now"},
    {"clear", "Reset counters"},
    {"arp", "How next hops are found"},
    {"cluster", "On all members of the cluster"},
    {"cluster nsrp", "Redundancy of this device"},
    {"nsrp", "Redundancy: cluster, VSD groups, HA links, RTO mirror"},
    {"nsrp cluster", "Cluster id and name"},
    {"nsrp vsd-group", "Virtual security device groups"},
    {"nsrp vsd-group id", "One VSD group"},
    {"nsrp rto-mirror", "Mirroring of run-time objects (sessions)"},
    {"nsrp rto-mirror session", "What this device does with sessions"},
    {"nsrp rto-mirror session no-backup", "Sessions that stay on this device"},
    {"nsrp sync", "Bring the members to the same state"},
    {"nsrp sync rto", "Run-time objects"},
    {"nsrp ha-link", "HA links and their probes"},
    {"nsrp auth", "Authentication of messages between members"},
    {"nsrp encrypt", "Encryption of messages between members"},
    {"nsrp monitor", "Objects whose failure makes this device fail over"},
    {"nsrp monitor interface", "Interface that must have link"},
    {"interface", "Interfaces: zone, addresses, manage IP"},
    {"vrouter", "Virtual routers: static routes"},
    {"vrouter route", "Static route"},
};

// The forms of a syntax: every bracketed part both left out and written, later parts varying fastest.
std::vector<std::vector<Token>> expand(std::string_view syntax) {
  std::vector<std::vector<Token>> forms = {{}};
  std::vector<std::vector<Token>> without;  // the forms in which the open bracket's part is left out
  while (!syntax.empty()) {
    const size_t length = std::min(syntax.find(' '), syntax.size());
    std::string_view word = syntax.substr(0, length);
    syntax.remove_prefix(std::min(length + 1, syntax.size()));
    if (word.starts_with('[')) {
      without = forms;
      word.remove_prefix(1);
    }
    const bool closes = word.ends_with(']');
    if (closes) word.remove_suffix(1);
    const bool is_variable = word.starts_with('<');
    const Token token = is_variable ? Token{"", &variable(word.substr(1, word.size() - 2))} : Token{word};
    for (std::vector<Token>& form : forms) form.push_back(token);
    if (closes) forms.insert(forms.begin(), without.begin(), without.end());
  }
  return forms;
}

bool before(const Form& a, const Form& b) {
  const auto spelling = [](const Token& token) { return token.variable ? token.variable->name : token.keyword; };
  return std::ranges::lexicographical_compare(a.tokens, b.tokens, {}, spelling, spelling);
}

Grammar build() {
  Grammar grammar;
  grammar.areas = {{"System", system_rows()},
                   {"Cluster and HA links", nsrp_rows()},
                   {"VSD groups", vsd_rows()},
                   {"Interfaces", interface_rows()},
                   {"Messages over traffic interfaces", path_rows()},
                   {"Static routes", vrouter_rows()},
                   {"Operation", operation_rows()}};
  for (const Area& area : grammar.areas) {
    for (const Row& row : area.rows) {
      for (std::vector<Token>& tokens : expand(row.syntax)) {
        grammar.forms.push_back({grammar.rows.size(), std::move(tokens)});
      }
      grammar.rows.push_back(row);
    }
  }
  std::ranges::stable_sort(grammar.forms, before);
  return grammar;
}

}  // namespace

const Grammar& grammar() {
  static const Grammar instance = build();
  return instance;
}

std::string_view topic_help(std::string_view path) {
  for (const Topic& topic : kTopics) {
    if (topic.path == path) return topic.help;
  }
  return "";
}

const std::string* Values::find(std::string_view name) const {
  for (const auto& [known, value] : values_) {
    if (known == name) return &value;
  }
  return nullptr;
}

const std::string& Values::text(std::string_view name) const {
  const std::string* value = find(name);
  if (value == nullptr) throw std::logic_error("grammar: command without <" + std::string(name) + ">");
  return *value;
}

uint32_t Values::number(std::string_view name) const {
  const std::string& digits = text(name);
  uint32_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

}  // namespace nsrp::config
