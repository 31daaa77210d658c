// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fstream>
#include <sstream>

#include "builders.h"
#include "config/grammar.h"

using namespace nsrp::config;
using namespace nsrp::config::test;

TEST_CASE("docs/commands.md is the grammar table as it stands") {
  std::ifstream file(NSRP_COMMANDS_MD);
  std::stringstream text;
  text << file.rdbuf();
  CHECK_MESSAGE(text.str() == describe(),
                "docs/commands.md is out of date: cmake --build BUILDDIR --target docs_commands");
}

TEST_CASE("the documentation has every command with its propagation, and every range with its default") {
  const std::string text = describe();
  for (const Row& row : grammar().rows) CHECK(text.find("| `" + std::string(row.syntax) + "` | ") != text.npos);
  CHECK(text.find("| `<priority>` | priority | 1-254 | 100 |\n") != text.npos);
  CHECK(text.find("| `set hostname <hostname>` | Name of this device (default: the system's) | no |\n") != text.npos);
}

TEST_CASE("every set command has its unset, and every set row carries out something") {
  const std::string text = describe();
  for (const Row& row : grammar().rows) {
    CAPTURE(row.syntax);
    CHECK((row.apply != nullptr) == (row.id == CommandId::kSet));
    CHECK_FALSE(row.help.empty());
    if (!row.syntax.starts_with("set ")) continue;
    // "set nsrp arp <announcements>" is undone by a command that begins with "unset nsrp arp".
    const std::string_view whole = row.syntax.substr(0, row.syntax.find(" ["));
    const size_t variable = whole.rfind(" <");
    const bool named = row.syntax.starts_with("set nsrp vsd-group id <vsd>") ||
                       row.syntax.starts_with("set nsrp monitor") || row.syntax.starts_with("set vrouter");
    const std::string_view stem = named ? row.syntax.substr(4, row.syntax.find('>') - 4)
                                        : whole.substr(4, variable == whole.npos ? whole.npos : variable - 4);
    CHECK(text.find("`unset " + std::string(stem)) != text.npos);
  }
}
