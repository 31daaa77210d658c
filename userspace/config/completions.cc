// SPDX-License-Identifier: Apache-2.0
#include "config/matching.h"
#include "config/words.h"

namespace nsrp::config {

namespace {

// The help of the command that ends with this keyword, or of the only command it leads to, or of the topic it opens.
std::string_view help_of(const Matching& so_far, std::string_view keyword) {
  std::string_view only;
  bool several = false;
  std::string path;
  for (const Form* form : so_far.live()) {
    if (form->tokens.size() <= so_far.depth() || form->tokens[so_far.depth()].keyword != keyword) continue;
    const Row& row = grammar().rows[form->row];
    if (form->tokens.size() == so_far.depth() + 1 && so_far.depth() > 0) return row.help;
    several = several || (!only.empty() && only != row.help);
    only = row.help;
    path.clear();
    for (size_t i = so_far.depth() == 0 ? 0 : 1; i <= so_far.depth(); ++i) {
      const std::string_view word = form->tokens[i].keyword;
      if (!word.empty()) path += (path.empty() ? "" : " ") + std::string(word);
    }
  }
  const std::string_view topic = topic_help(path);
  return several && !topic.empty() ? topic : only;
}

}  // namespace

std::vector<std::string> completions(const Words& words) {
  Matching matching;
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (!matching.feed(words[i])) return {};
  }
  const std::string partial = words.empty() ? "" : words.back();
  std::vector<std::string> lines;
  for (std::string_view keyword : matching.next_keywords()) {
    if (!starts_with_ignoring_case(keyword, partial)) continue;
    lines.push_back(std::string(keyword) + "\t" + std::string(help_of(matching, keyword)));
  }
  for (const Variable* variable : matching.offered_variables()) {
    const std::string standard = default_text(*variable);
    lines.push_back(hint(*variable) + "\t" + expectation(*variable) +
                    (standard.empty() ? "" : ", default " + standard));
  }
  if (const Form* form = matching.complete(); form != nullptr && partial.empty()) {
    lines.push_back("<return>\t" + std::string(grammar().rows[form->row].help));
  }
  return lines;
}

}  // namespace nsrp::config
