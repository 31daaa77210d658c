// SPDX-License-Identifier: Apache-2.0
#include "config/words.h"

#include <algorithm>
#include <cstdint>

namespace nsrp::config {

namespace {

constexpr size_t kLongestQuotedWord = 60;

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// Bytes of the quote character `text` begins with; 0: none. Curly quotes arrive with commands copied from documents.
size_t quote_size(std::string_view text) {
  if (text.starts_with('"')) return 1;
  if (text.starts_with("\xe2\x80\x9c") || text.starts_with("\xe2\x80\x9d")) return 3;
  return 0;
}

bool is_continuation(char c) {
  return (static_cast<uint8_t>(c) & 0xc0) == 0x80;
}

// Bytes of the well-formed character `text` begins with (RFC 3629, section 4); 0: ill-formed.
size_t utf8_size(std::string_view text) {
  const auto first = static_cast<uint8_t>(text[0]);
  if (first < 0x80) return 1;
  const size_t size = first >= 0xc2 && first <= 0xdf   ? 2
                      : first >= 0xe0 && first <= 0xef ? 3
                      : first >= 0xf0 && first <= 0xf4 ? 4
                                                       : 0;
  if (size == 0 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if (!is_continuation(text[i])) return 0;
  }
  const auto second = static_cast<uint8_t>(text[1]);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool surrogate = first == 0xed && second > 0x9f;
  const bool beyond = first == 0xf4 && second > 0x8f;
  return overlong || surrogate || beyond ? 0 : size;
}

size_t find_quote(std::string_view text) {
  for (size_t at = 0; at < text.size(); ++at) {
    if (quote_size(text.substr(at)) != 0) return at;
  }
  return std::string_view::npos;
}

// Where `rest`, the end of the line, begins: "column 12". Counted in characters, as editors do.
std::string column_of(std::string_view line, std::string_view rest) {
  const std::string_view before = line.substr(0, line.size() - rest.size());
  const auto characters = std::ranges::count_if(before, [](char c) { return !is_continuation(c); });
  return "column " + std::to_string(characters + 1);
}

// Takes a quoted name, from its opening quote on, off the front of `rest`. Messages give the place and not the text,
// which may be a password.
Result<std::string> take_quoted(std::string_view line, std::string_view& rest) {
  const std::string opening = column_of(line, rest);
  rest.remove_prefix(quote_size(rest));
  const size_t length = find_quote(rest);
  if (length == std::string_view::npos) return fail("the quote in " + opening + " is never closed");
  std::string word = collapse_blanks(rest.substr(0, length));
  rest.remove_prefix(length);
  const std::string closing = column_of(line, rest);
  rest.remove_prefix(quote_size(rest));
  if (!rest.empty() && !is_blank(rest[0])) return fail("a blank must follow the closing quote in " + closing);
  return word;
}

Result<std::string> take_plain(std::string_view line, std::string_view& rest) {
  size_t length = 0;
  while (length < rest.size() && !is_blank(rest[length])) ++length;
  const std::string_view word = rest.substr(0, length);
  if (const size_t at = find_quote(word); at != std::string_view::npos) {
    return fail("a quote must stand at the beginning of a word, not in " + column_of(line, rest.substr(at)));
  }
  rest.remove_prefix(length);
  return std::string(word);
}

std::string join(const std::vector<std::string>& items, std::string_view last_separator) {
  std::string text;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) text += i + 1 == items.size() ? last_separator : ", ";
    text += items[i];
  }
  return text;
}

}  // namespace

std::string collapse_blanks(std::string_view text) {
  std::string result;
  bool pending = false;
  for (char c : text) {
    if (is_blank(c)) {
      pending = !result.empty();
      continue;
    }
    if (pending) result += ' ';
    pending = false;
    result += c;
  }
  return result;
}

Status check_text(std::string_view text) {
  while (!text.empty()) {
    const auto byte = static_cast<uint8_t>(text[0]);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return fail("control characters are not allowed");
    const size_t size = utf8_size(text);
    if (size == 0) return fail("text must be UTF-8");
    text.remove_prefix(size);
  }
  return {};
}

Result<std::string> clean_word(std::string_view word) {
  if (Status ok = check_text(word); !ok) return fail(ok.error());
  if (find_quote(word) != std::string_view::npos) return fail("a name cannot hold quotes");
  return collapse_blanks(word);
}

std::string quoted(std::string_view word) {
  if (word.size() <= kLongestQuotedWord) return "\"" + std::string(word) + "\"";
  size_t length = kLongestQuotedWord;
  while (length > 0 && is_continuation(word[length])) --length;
  return "\"" + std::string(word.substr(0, length)) + "...\"";
}

bool starts_with_ignoring_case(std::string_view keyword, std::string_view prefix) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return prefix.size() <= keyword.size() && std::equal(prefix.begin(), prefix.end(), keyword.begin(),
                                                       [&](char a, char b) { return lower(a) == lower(b); });
}

std::string join_or(const std::vector<std::string>& items) {
  return join(items, " or ");
}
std::string join_comma(const std::vector<std::string>& items) {
  return join(items, ", ");
}

Result<Words> split_words(std::string_view line) {
  if (Status ok = check_text(line); !ok) return fail(ok.error());
  Words words;
  for (std::string_view rest = line;;) {
    while (!rest.empty() && is_blank(rest[0])) rest.remove_prefix(1);
    if (rest.empty()) return words;
    Result<std::string> word = quote_size(rest) != 0 ? take_quoted(line, rest) : take_plain(line, rest);
    if (!word) return fail(word.error());
    words.push_back(std::move(*word));
  }
}

std::string join_words(const Words& words) {
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    const bool plain = !word.empty() && word.find(' ') == std::string::npos;
    line += plain ? word : "\"" + word + "\"";
  }
  return line;
}

}  // namespace nsrp::config
