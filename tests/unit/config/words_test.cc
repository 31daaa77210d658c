// SPDX-License-Identifier: Apache-2.0
#include "config/words.h"

#include "builders.h"

using namespace nsrp::config;
using namespace nsrp::config::test;

namespace {

Words words_of(std::string_view line) {
  return split_words(line).value();
}
std::string split_error(std::string_view line) {
  return split_words(line).error().message;
}

}  // namespace

TEST_CASE("a line falls into words at blanks, however many") {
  CHECK(words_of("set nsrp arp 5") == Words{"set", "nsrp", "arp", "5"});
  CHECK(words_of(" \t set \t nsrp ") == Words{"set", "nsrp"});
  CHECK(words_of("").empty());
  CHECK(words_of("   ").empty());
}

TEST_CASE("a name in quotes is one word, with blanks trimmed and collapsed as the manual says") {
  CHECK(words_of("x \"local LAN\" y") == Words{"x", "local LAN", "y"});
  CHECK(words_of("\"  local   LAN  \"") == Words{"local LAN"});
  CHECK(words_of("\"\"") == Words{""});
  CHECK(words_of("\"# no comment\"") == Words{"# no comment"});
}

TEST_CASE("curly quotes from a document are quotes") {
  CHECK(words_of("set nsrp cluster name \u201clocal LAN\u201d") ==
        Words{"set", "nsrp", "cluster", "name", "local LAN"});
  CHECK(words_of("\u201dlocal LAN\"") == Words{"local LAN"});
}

TEST_CASE("bad quotes are refused in a sentence that shows the place") {
  CHECK(split_error("set nsrp cluster name \"local LAN") == "the quote in column 23 is never closed");
  CHECK(split_error("name lo\"cal\"") == "a quote must stand at the beginning of a word, not in column 8");
  CHECK(split_error("name \"a\"b") == "a blank must follow the closing quote in column 8");
  CHECK(split_error("name \"ä\"\"b\"") == "a blank must follow the closing quote in column 8");
}

TEST_CASE("control characters and bytes that are no UTF-8 are refused") {
  CHECK(split_error("set hostname a\x01") == "control characters are not allowed");
  CHECK(split_error(std::string_view("set\0hostname", 12)) == "control characters are not allowed");
  CHECK(split_error("set hostname \x7f") == "control characters are not allowed");
  for (const char* bad : {"\xff", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80",
                          "\xe2\x82", "\xf0\x80\x80\xaf", "\xf5\x80\x80\x80"}) {
    CHECK(split_error(bad) == "text must be UTF-8");
  }
  CHECK(words_of("\u00e4\u4e2d\U0001f600") == Words{"\u00e4\u4e2d\U0001f600"});
}

TEST_CASE("words that did not come from a line are held to the same rules") {
  CHECK(clean_word("  local   LAN ").value() == "local LAN");
  CHECK(clean_word("a\"b").error().message == "a name cannot hold quotes");
  CHECK(parse({"set", "hostname", "a\nb"}).error().message == "control characters are not allowed");
  CHECK(parse({"set", "nsrp", "cluster", "name", "a  b"})->words.back() == "a b");
}

TEST_CASE("joined words split into the same words") {
  for (const Words& words : {Words{"set", "nsrp", "cluster", "name", "local LAN"}, Words{"", "a"}, Words{}}) {
    CHECK(words_of(join_words(words)) == words);
  }
}

TEST_CASE("a message quotes an endless word only in part, and never half a character") {
  const std::string endless(100000, 'x');
  CHECK(parse_error("set nsrp " + endless).size() < 250);
  std::string wide;
  for (int i = 0; i < 40; ++i) wide += "\u4e2d";
  CHECK(check_text(quoted("x" + wide)).has_value());
  CHECK(check_text(quoted(wide)).has_value());
}
