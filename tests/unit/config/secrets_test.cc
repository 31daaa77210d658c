// SPDX-License-Identifier: Apache-2.0
// Passwords are in the configuration and in its file, and nowhere else.
#include "builders.h"

using namespace nsrp;
using namespace nsrp::config;
using namespace nsrp::config::test;

namespace {

constexpr std::string_view kSecret = "725dCaIgDL";

bool tells(std::string_view text) {
  return text.find(kSecret) != std::string_view::npos;
}

// A line with the secret in it that must be refused, in a sentence without the secret.
std::string discreet_refusal(std::string_view line) {
  Config config;
  const std::string message = answer(config, line);
  CHECK_MESSAGE(message != "", line);
  CHECK_MESSAGE(!tells(message), message);
  CHECK(config == Config{});
  const Result<Config> loaded = load(line, "nsrp.conf");
  REQUIRE_FALSE(loaded.has_value());
  CHECK_MESSAGE(!tells(loaded.error().message), loaded.error().message);
  return message;
}

}  // namespace

TEST_CASE("passwords of the manual's example are taken and removed") {
  Config config = configured({"set nsrp auth password 725dCaIgDL", "set nsrp encrypt password \"WiJoa w4177\""});
  CHECK(config.auth_password == Secret{"725dCaIgDL"});
  CHECK(config.encrypt_password == Secret{"WiJoa w4177"});
  give(config, {"unset nsrp auth password", "unset nsrp encrypt password"});
  CHECK(config == Config{});
}

TEST_CASE("the file holds a password, what is shown masks it, and what a crash leaves behind has none") {
  const Config config = configured({"set nsrp auth password 725dCaIgDL", "set nsrp arp 5"});
  CHECK(print(config, Secrets::kWritten) == "set nsrp arp 5\nset nsrp auth password 725dCaIgDL\n");
  CHECK(print(config, Secrets::kMasked) == "set nsrp arp 5\nset nsrp auth password ***\n");
  CHECK(print(config, Secrets::kLeftOut) == "set nsrp arp 5\n");
  CHECK(load(print(config, Secrets::kWritten), "file").value() == config);
}

TEST_CASE("a command is shown without its password") {
  const Command command = parse_line("set nsrp auth password 725dCaIgDL").value();
  CHECK(command.words == Words{"set", "nsrp", "auth", "password", "725dCaIgDL"});
  CHECK(command.shown == Words{"set", "nsrp", "auth", "password", "***"});
  CHECK_FALSE(command.propagates);
}

TEST_CASE("no message repeats a password, nor what may be one") {
  CHECK(discreet_refusal("set nsrp auth password not quoted 725dCaIgDL") ==
        "unexpected word after \"set nsrp auth password ***\"; a password with blanks stands in quotes");
  CHECK(discreet_refusal("set nsrp auth password 725dCaIgDL please") ==
        "unexpected word after \"set nsrp auth password ***\"; a password with blanks stands in quotes");
  CHECK(discreet_refusal("set nsrp auth 725dCaIgDL") == "unknown keyword after \"set nsrp auth\"; allowed: password");
  CHECK(discreet_refusal("set nsrp encrypt 725dCaIgDL") ==
        "unknown keyword after \"set nsrp encrypt\"; allowed: password");
  discreet_refusal("set nsrp auth password \"725dCaIgDL");
  discreet_refusal("set nsrp auth password \"725dCaIgDL\"725dCaIgDL");
  discreet_refusal("set nsrp auth password 725dCaIgDL\"");
  discreet_refusal("set nsrp auth password 725dCaIgDL\x01");
  discreet_refusal("set nsrp auth password " + std::string(kSecret) + std::string(118, 'x'));
}

TEST_CASE("a password is neither empty nor endless nor the mask itself") {
  CHECK(refusal(Config{}, "set nsrp auth password \"\"") ==
        "the password is empty; allowed: 1-127 bytes, in quotes if it has blanks");
  CHECK(refusal(Config{}, "set nsrp auth password " + std::string(128, 'x')) ==
        "the password is too long; allowed: 1-127 bytes, in quotes if it has blanks");
  CHECK(refusal(Config{}, "set nsrp auth password ***") ==
        "\"***\" only stands for a password that is not shown; type the password itself");
  Config config;
  CHECK(answer(config, "set nsrp auth password " + std::string(127, 'x')) == "");
}

TEST_CASE("completion offers no password, and shows none that was typed") {
  CHECK(completions({"set", "nsrp", "auth", "password", ""}) == std::vector<std::string>{"<password>\tpassword"});
  CHECK(completions({"set", "nsrp", "auth", "password", std::string(kSecret), ""}) ==
        std::vector<std::string>{"<return>\tAuthenticate what members tell each other; the same password on all"});
}

TEST_CASE("passwords are no part of the configuration checksum") {
  const Config config = configured({"set nsrp cluster id 1"});
  Config other = config;
  give(other, {"set nsrp auth password 725dCaIgDL", "set nsrp encrypt password WiJoaw4177"});
  CHECK(other != config);
  CHECK(checksum(other) == checksum(config));
}
