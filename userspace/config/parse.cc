// SPDX-License-Identifier: Apache-2.0
#include "config/language.h"
#include "config/matching.h"
#include "config/words.h"

namespace nsrp::config {

Result<Command> parse(const Words& words) {
  Matching matching;
  for (const std::string& word : words) {
    if (Status ok = matching.feed(word); !ok) return fail(ok.error());
  }
  const Form* form = matching.complete();
  if (form == nullptr) {
    return fail("incomplete command" + matching.after() + "; expected: " + join_comma(matching.expected_next()));
  }
  const Row& row = grammar().rows[form->row];
  Command command;
  command.id = row.id;
  command.words = matching.words();
  command.shown = matching.shown();
  command.row = form->row;
  for (size_t i = 0; i < form->tokens.size(); ++i) {
    if (form->tokens[i].variable != nullptr) command.arguments.push_back(command.words[i]);
  }
  command.propagates = row.propagation != Propagation::kNever;
  return command;
}

std::optional<std::string> argument(const Command& command, std::string_view name) {
  Matching matching;
  for (const std::string& word : command.words) {
    if (!matching.feed(word)) return {};
  }
  const Form* form = matching.complete();
  if (form == nullptr) return {};
  const Values values = values_of(*form, command.words);
  return values.has(name) ? std::optional(values.text(name)) : std::nullopt;
}

}  // namespace nsrp::config
