// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "builders.h"
#include "config/grammar.h"

using namespace nsrp::config;
using namespace nsrp::config::test;

namespace {

std::vector<std::string> offered(const Words& words) {
  std::vector<std::string> heads;
  for (const std::string& line : completions(words)) heads.push_back(line.substr(0, line.find('\t')));
  return heads;
}

using Lines = std::vector<std::string>;

// A word that the variable of the last token accepts, for walking down every command.
std::string sample(const Variable& variable) {
  switch (variable.kind) {
    case Kind::kNumber:
      return std::to_string(variable.min);
    case Kind::kName:
    case Kind::kHostname:
      return "x";
    case Kind::kInterface:
    case Kind::kVsi:
      return "eth1";
    case Kind::kHostPrefix:
      return "10.1.1.1/24";
    case Kind::kNetwork:
      return "10.1.1.0/24";
    case Kind::kAddress:
      return "10.1.1.1";
    case Kind::kChoice:
      return std::string(variable.choices[0]);
    case Kind::kMark:
      return "0x1f";
    case Kind::kMac:
      return "02:00:00:00:00:01";
    case Kind::kSecret:
      return "secret";
  }
  return "";
}

}  // namespace

TEST_CASE("an empty last word lists everything that may follow") {
  CHECK(offered({""}) == Lines{"clear", "exec", "get", "reset", "save", "set", "unset"});
  CHECK(offered({}) == offered({""}));
  CHECK(offered({"set", ""}) == Lines{"arp", "hostname", "interface", "nsrp", "vrouter"});
  CHECK(offered({"unset", ""}) == Lines{"all", "arp", "hostname", "interface", "nsrp", "vrouter"});
}

TEST_CASE("a partial last word narrows the list, words before it may be shortened") {
  CHECK(offered({"set", "nsrp", "vsd-group", "hb"}) == Lines{"hb-interval", "hb-threshold"});
  CHECK(offered({"se", "ns", "vsd", "HB-T"}) == Lines{"hb-threshold"});
  CHECK(offered({"set", "nsrp", "zzz"}).empty());
}

TEST_CASE("variables are shown with their range, the end of a command as <return>") {
  CHECK(completions({"set", "nsrp", "vsd", "id", "0", "priority", ""}) ==
        Lines{"<priority:1-254>\tpriority (1-254), default 100"});
  CHECK(offered({"set", "nsrp", "vsd", "id", "0", ""}) == Lines{"defer", "mode", "preempt", "priority", "<return>"});
  CHECK(offered({"set", "interface", "eth1", ""}) == Lines{"ip", "manage-ip", "zone"});
  CHECK(offered({"set", "interface", "eth1:1", ""}) == Lines{"ip"});
  CHECK(offered({"set", "interface", ""}) == Lines{"<vsi>"});
  CHECK(offered({"save", ""}) == Lines{"<return>"});
}

TEST_CASE("a mistake before the last word leaves nothing to complete") {
  CHECK(completions({"set", "foo", ""}).empty());
  CHECK(completions({"set", "nsrp", "arp", "99", ""}).empty());
}

TEST_CASE("every command can be reached by completion, with help at every step") {
  for (const Form& form : grammar().forms) {
    Words words;
    for (const Token& token : form.tokens) {
      words.emplace_back("");
      bool found = false;
      for (const std::string& line : completions(words)) {
        const size_t tab = line.find('\t');
        REQUIRE(tab != line.npos);
        CHECK_MESSAGE(tab + 1 < line.size(), join_words(words), " ", line);
        const bool is_this = token.variable == nullptr ? line.substr(0, tab) == token.keyword : line[0] == '<';
        found = found || is_this;
      }
      words.back() = token.variable == nullptr ? std::string(token.keyword) : sample(*token.variable);
      CHECK_MESSAGE(found, join_words(words));
    }
    CHECK_MESSAGE(parse(words).has_value(), join_words(words));
  }
}

TEST_CASE("a keyword that opens several commands explains its topic, not one of them") {
  for (const std::string& line : completions({"set", ""})) {
    if (line.starts_with("nsrp")) CHECK(line == "nsrp\tRedundancy: cluster, VSD groups, HA links, RTO mirror");
  }
  for (const std::string& line : completions({""})) {
    if (line.starts_with("save")) CHECK(line == "save\tWrite the configuration to its file");
    if (line.starts_with("set")) CHECK(line == "set\tChange the configuration");
  }
}

TEST_CASE("no two commands of the table are written alike") {
  std::set<std::string> seen;
  for (const Form& form : grammar().forms) {
    std::string shape;
    for (const Token& token : form.tokens) {
      shape += token.variable == nullptr ? std::string(token.keyword) + " " : "<> ";
    }
    CHECK_MESSAGE(seen.insert(shape).second, shape);
  }
}
