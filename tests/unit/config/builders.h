// SPDX-License-Identifier: Apache-2.0
// Words for the tests: give commands as an operator types them, and look at what became of them.
#pragma once

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "config/language.h"

namespace nsrp::config::test {

inline Result<Command> parse_line(std::string_view line) {
  Result<Words> words = split_words(line);
  if (!words) return fail(words.error());
  return parse(*words);
}

// What the command line answers to a command: "" when it was carried out.
inline std::string answer(Config& config, std::string_view line) {
  const Result<Command> command = parse_line(line);
  if (!command) return command.error().message;
  const Status done = apply(config, *command);
  return done ? "" : done.error().message;
}

// The answer to a command that must be refused, and must then have changed nothing.
inline std::string refusal(const Config& config, std::string_view line) {
  Config copy = config;
  const std::string message = answer(copy, line);
  CHECK_MESSAGE(copy == config, "changed by the refused command: ", line);
  return message.empty() ? "(carried out)" : message;
}

inline std::string parse_error(std::string_view line) {
  const Result<Command> command = parse_line(line);
  return command ? "(accepted)" : command.error().message;
}

inline void give(Config& config, std::initializer_list<std::string_view> lines) {
  for (std::string_view line : lines) CHECK_MESSAGE(answer(config, line) == "", line);
}

inline Config configured(std::initializer_list<std::string_view> lines) {
  Config config;
  give(config, lines);
  return config;
}

inline Prefix prefix(std::string_view text) {
  return Prefix::parse(text).value();
}
inline IpAddress address(std::string_view text) {
  return IpAddress::parse(text).value();
}

}  // namespace nsrp::config::test
