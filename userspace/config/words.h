// SPDX-License-Identifier: Apache-2.0
// Words of a command line: what a word may hold, how a name is written down so that it reads back, how a message quotes
// what the operator typed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/language.h"

namespace nsrp::config {

// Leading and trailing blanks gone, runs of blanks one space (manual, "Naming Conventions and Character Types").
std::string collapse_blanks(std::string_view text);

// Refuses control characters and bytes that are no UTF-8: words end up in logs, JSON and on terminals.
Status check_text(std::string_view text);

// A word as it arrives from split_words() or from a program's arguments, ready for comparing and storing. Quotes cannot
// be part of a name: they are its borders.
Result<std::string> clean_word(std::string_view word);

// For messages: in quotes, and cut when somebody pasted a whole file into one word.
std::string quoted(std::string_view word);

// Keywords are not case-sensitive (manual, "Naming Conventions and Character Types").
bool starts_with_ignoring_case(std::string_view keyword, std::string_view prefix);

// "a", "a or b", "a, b or c".
std::string join_or(const std::vector<std::string>& items);
std::string join_comma(const std::vector<std::string>& items);

}  // namespace nsrp::config
