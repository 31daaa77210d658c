// SPDX-License-Identifier: Apache-2.0
// Carrying out set and unset commands: one at a time, checked as a whole after each; or a file of them, checked at its
// end, because a file may name things before it creates them.
#include "config/apply.h"

#include <algorithm>

#include "config/matching.h"
#include "config/validate.h"

namespace nsrp::config {

Status apply_unchecked(Config& config, const Command& command) {
  if (command.id == CommandId::kUnsetAll) {
    config = Config{};
    return {};
  }
  Matching matching;
  for (const std::string& word : command.words) {
    if (Status ok = matching.feed(word); !ok) return ok;
  }
  const Form* form = matching.complete();
  const Row* row = form == nullptr ? nullptr : &grammar().rows[form->row];
  if (row == nullptr || row->apply == nullptr) {
    return fail("\"" + join_words(command.shown) + "\" does not change the configuration");
  }
  return row->apply(config, values_of(*form, matching.words()));
}

Status apply(Config& config, const Command& command) {
  Config changed = config;
  if (Status ok = apply_unchecked(changed, command); !ok) return ok;
  if (Status ok = validate(changed); !ok) return ok;
  config = std::move(changed);
  return {};
}

}  // namespace nsrp::config
