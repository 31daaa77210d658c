// SPDX-License-Identifier: Apache-2.0
// Reading a configuration file.
#include <string>

#include "config/apply.h"
#include "config/validate.h"

namespace nsrp::config {

namespace {

struct Line {
  size_t number;
  std::string command;  // as join_words() writes it
};

// "" for lines that hold no command.
std::string_view trim(std::string_view line) {
  constexpr std::string_view kBlanks = " \t\r";
  const size_t begin = line.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos || line[begin] == '#') return {};
  return line.substr(0, line.find_last_not_of(kBlanks) + 1);  // from its beginning: messages count columns
}

Result<Command> read_command(std::string_view text) {
  Result<Words> words = split_words(text);
  if (!words) return fail(words.error());
  Result<Command> command = parse(*words);
  if (command && command->id != CommandId::kSet) {
    return fail("\"" + join_words(command->shown) + "\" cannot stand in a configuration; allowed: set and unset");
  }
  return command;
}

bool begins_with(const std::string& command, const std::string& beginning) {
  return command.starts_with(beginning) && (command.size() == beginning.size() || command[beginning.size()] == ' ');
}

// The last of the lines that brought the problem about; 0: none of them.
size_t line_of(const Problem& problem, const std::vector<Line>& lines) {
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    for (const std::string& beginning : problem.commands) {
      if (begins_with(line->command, beginning)) return line->number;
    }
  }
  return 0;
}

}  // namespace

Result<Config> load(std::string_view text, std::string_view file_name) {
  const auto located = [&](size_t number, const std::string& message) {
    const std::string line = number == 0 ? "" : std::to_string(number) + ":";
    return fail(std::string(file_name) + ":" + line + " " + message);
  };
  Config config;
  std::vector<Line> lines;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t length = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, length));
    text.remove_prefix(std::min(length + 1, text.size()));
    if (line.empty()) continue;
    Result<Command> command = read_command(line);
    if (!command) return located(number, command.error().message);
    if (Status ok = apply_unchecked(config, *command); !ok) return located(number, ok.error().message);
    lines.push_back({number, join_words(command->words)});
  }
  if (std::optional<Problem> problem = find_problem(config)) {
    return located(line_of(*problem, lines), problem->message);
  }
  return config;
}

}  // namespace nsrp::config
