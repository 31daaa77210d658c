// SPDX-License-Identifier: Apache-2.0
#include "config/grammar.h"

namespace nsrp::config {

namespace {

std::string_view propagation_text(const Row& row) {
  switch (row.propagation) {
    case Propagation::kNever:
      return "no";
    case Propagation::kAlways:
      return "yes";
    case Propagation::kUnlessLocal:
      return "unless local";
  }
  return "";
}

std::string code(std::string_view text) {
  return "`" + std::string(text) + "`";
}

std::string describe_area(const Area& area) {
  std::string text = "\n## " + std::string(area.title) + "\n\n| command | meaning | propagates |\n|---|---|---|\n";
  for (const Row& row : area.rows) {
    text +=
        "| " + code(row.syntax) + " | " + std::string(row.help) + " | " + std::string(propagation_text(row)) + " |\n";
  }
  return text;
}

std::string describe_variables() {
  std::string text = "\n## Variables\n\n| variable | meaning | takes | default |\n|---|---|---|---|\n";
  for (const Variable& variable : all_variables()) {
    text += "| " + code("<" + std::string(variable.name) + ">") + " | " + std::string(variable.meaning) + " | " +
            range_text(variable) + " | " + default_text(variable) + " |\n";
  }
  return text;
}

}  // namespace

std::string describe() {
  std::string text =
      "# Commands\n\n"
      "Made from the grammar table; `cmake --build BUILDDIR --target docs_commands` writes it anew.\n\n"
      "Keywords may be shortened to a unique prefix (`set nsrp vsd id 0 prio 50`) and are not case-sensitive; names\n"
      "are. A name with blanks stands in double quotes. What stands in brackets may be left out. A configuration file\n"
      "is a list of `set` and `unset` commands; a line that begins with `#` is a comment.\n\n"
      "*propagates*: whether the command goes to all members of the cluster. *unless local*: a command for a VSI "
      "does,\n"
      "one for an interface that is local to the device does not.\n";
  for (const Area& area : grammar().areas) text += describe_area(area);
  return text + describe_variables();
}

}  // namespace nsrp::config
