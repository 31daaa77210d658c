// SPDX-License-Identifier: Apache-2.0
#include "config/matching.h"

#include <algorithm>

#include "config/words.h"

namespace nsrp::config {

Matching::Matching() {
  for (const Form& form : grammar().forms) live_.push_back(&form);
}

const Form* Matching::complete() const {
  const auto ends_here = [this](const Form* form) { return form->tokens.size() == depth(); };
  const auto found = std::ranges::find_if(live_, ends_here);
  return found == live_.end() ? nullptr : *found;
}

std::vector<std::string_view> Matching::next_keywords() const {
  std::vector<std::string_view> keywords;
  for (const Form* form : live_) {  // in order of their words: equal keywords are mostly neighbours
    if (form->tokens.size() <= depth() || form->tokens[depth()].variable != nullptr) continue;
    const std::string_view keyword = form->tokens[depth()].keyword;
    if (keywords.empty() || keywords.back() != keyword) keywords.push_back(keyword);
  }
  std::ranges::sort(keywords);
  keywords.erase(std::unique(keywords.begin(), keywords.end()), keywords.end());
  return keywords;
}

std::vector<const Variable*> Matching::next_variables() const {
  std::vector<const Variable*> variables;
  for (const Form* form : live_) {
    if (form->tokens.size() <= depth()) continue;
    const Variable* variable = form->tokens[depth()].variable;
    if (variable != nullptr && std::ranges::find(variables, variable) == variables.end()) {
      variables.push_back(variable);
    }
  }
  return variables;
}

// Every interface name is a VSI name too.
std::vector<const Variable*> Matching::offered_variables() const {
  std::vector<const Variable*> variables = next_variables();
  const auto is = [](Kind kind) { return [kind](const Variable* variable) { return variable->kind == kind; }; };
  if (std::ranges::any_of(variables, is(Kind::kVsi))) std::erase_if(variables, is(Kind::kInterface));
  return variables;
}

std::vector<std::string> Matching::expected_next() const {
  const std::vector<std::string_view> keywords = next_keywords();
  std::vector<std::string> expected(keywords.begin(), keywords.end());
  for (const Variable* variable : offered_variables()) expected.push_back(expectation(*variable));
  return expected;
}

std::string Matching::after() const {
  return words_.empty() ? "" : " after \"" + join_words(shown_) + "\"";
}

Result<std::string> Matching::match_keyword(const std::string& word) const {
  std::vector<std::string> matching;
  for (std::string_view keyword : next_keywords()) {
    if (word.empty() || !starts_with_ignoring_case(keyword, word)) continue;
    if (keyword.size() == word.size()) return std::string(keyword);
    matching.emplace_back(keyword);
  }
  if (matching.size() > 1) return fail(quoted(word) + " is ambiguous" + after() + ": " + join_or(matching));
  return matching.empty() ? "" : std::move(matching[0]);
}

template <class Fits>
void Matching::advance(std::string word, std::string shown, Fits fits) {
  std::erase_if(live_,
                [&](const Form* form) { return form->tokens.size() <= depth() || !fits(form->tokens[depth()]); });
  words_.push_back(std::move(word));
  shown_.push_back(std::move(shown));
}

// A word may suit several variables (an interface, or a VSI): all of them stay in the walk. If it suits none, the one
// that includes the others has the reason.
Status Matching::feed_variable(const std::string& word) {
  std::vector<const Variable*> accepting;
  std::string value;
  for (const Variable* candidate : next_variables()) {
    Result<std::string> checked = check(*candidate, word);
    if (!checked) continue;
    accepting.push_back(candidate);
    value = std::move(*checked);
  }
  if (accepting.empty()) return fail(check(*offered_variables().front(), word).error());
  const bool secret = accepting.front()->kind == Kind::kSecret;
  std::string shown = secret ? std::string(kMask) : value;
  advance(std::move(value), std::move(shown), [&](const Token& token) {
    return token.variable != nullptr && std::ranges::find(accepting, token.variable) != accepting.end();
  });
  return {};
}

Status Matching::feed(std::string_view raw_word) {
  const Result<std::string> word = clean_word(raw_word);
  if (!word) return fail(word.error());
  Result<std::string> keyword = match_keyword(*word);
  if (!keyword) return fail(keyword.error());
  if (!keyword->empty()) {
    advance(*keyword, *keyword, [&](const Token& token) { return token.keyword == *keyword; });
    return {};
  }
  if (!next_variables().empty()) return feed_variable(*word);
  return refuse(*word);
}

// A word that is not understood may be a password, or a part of one, when only commands that take one are left.
bool Matching::may_be_secret() const {
  const auto takes_secret = [](const Form* form) {
    return std::ranges::any_of(form->tokens, [](const Token& token) {
      return token.variable != nullptr && token.variable->kind == Kind::kSecret;
    });
  };
  return std::ranges::all_of(live_, takes_secret);
}

Status Matching::refuse(const std::string& word) const {
  const bool secret = may_be_secret();
  const std::string shown = secret ? "" : " " + quoted(word);
  const std::vector<std::string> allowed = expected_next();
  if (allowed.empty()) {
    return fail("unexpected word" + shown + after() + (secret ? "; a password with blanks stands in quotes" : ""));
  }
  const std::string what = words_.empty() ? "unknown command" : "unknown keyword";
  return fail(what + shown + after() + "; allowed: " + join_comma(allowed));
}

Values values_of(const Form& form, const Words& words) {
  std::vector<std::pair<std::string_view, std::string>> values;
  for (size_t i = 0; i < form.tokens.size(); ++i) {
    if (form.tokens[i].variable != nullptr) values.emplace_back(form.tokens[i].variable->name, words[i]);
  }
  return Values(std::move(values));
}

}  // namespace nsrp::config
