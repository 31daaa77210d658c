// SPDX-License-Identifier: Apache-2.0
// Any bytes as a configuration file: load() refuses them in a clean sentence, or makes a configuration that holds every
// promise of the language. Each line is also tried as a command by itself and for completion.
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string_view>

#include "config/language.h"
#include "config/words.h"

namespace {

using namespace nsrp::config;

void require(bool holds) {
  if (!holds) std::abort();
}

// What operators see goes to logs, terminals and JSON.
void check_message(const std::string& message) {
  require(!message.empty() && check_text(message).has_value());
}

void check_config(const Config& config) {
  require(validate(config).has_value());
  const nsrp::Result<Config> again = load(print(config, nsrp::config::Secrets::kWritten), "again");
  require(again.has_value() && *again == config && checksum(*again) == checksum(config));
  std::set<uint16_t> vids;
  for (const Vsi& vsi : vsis_of(config)) require(vids.insert(vsi.vid.value).second);
}

void check_line(std::string_view line) {
  const nsrp::Result<Words> words = split_words(line);
  if (!words) return check_message(words.error().message);
  require(split_words(join_words(*words)).value() == *words);
  for (const std::string& offer : completions(*words)) require(offer.find('\t') != std::string::npos);
  const nsrp::Result<Command> command = parse(*words);
  if (!command) return check_message(command.error().message);
  const nsrp::Result<Command> again = parse(command->words);  // what was understood is understood the same again
  require(again.has_value() && again->words == command->words && again->row == command->row);
  Config config;
  const nsrp::Status done = apply(config, *command);
  if (!done) {
    check_message(done.error().message);
    require(config == Config{});
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const nsrp::Result<Config> config = load(text, "fuzz.conf");
  if (config) {
    check_config(*config);
  } else {
    check_message(config.error().message);
  }
  for (size_t begin = 0; begin <= size;) {
    const size_t end = std::min(text.find('\n', begin), size);
    check_line(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return 0;
}
