// SPDX-License-Identifier: Apache-2.0
// The command language (manual, "Command Line Interface Conventions"): keywords may be shortened to a unique prefix and
// are not case-sensitive; names with spaces stand in double quotes.
//
//   Result<Words> words = split_words("set nsrp vsd-group id 0 priority 50");
//   Result<Command> command = parse(*words);
//   if (command) Status done = apply(config, *command);     // a refused command changes nothing
//
// A configuration file is a list of set commands; `#` begins a comment line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/model.h"

namespace nsrp::config {

using Words = std::vector<std::string>;

// What the daemon does for a command. set and unset rows change the Config through apply(); the others are carried out
// by the daemon, with the command's arguments.
enum class CommandId : uint8_t {
  kSet,  // changes the configuration (set … and unset …)
  kUnsetAll,
  kSave,
  kReset,
  kGetNsrp,
  kGetNsrpCluster,
  kGetNsrpVsdGroup,  // argument: VSD id, optional
  kGetNsrpHaLink,
  kGetNsrpRtoMirror,
  kGetNsrpRtoAudit,
  kGetNsrpMonitor,
  kGetNsrpCounters,
  kGetInterface,  // argument: name, optional
  kGetRoute,
  kGetConfig,
  kGetEvent,
  kGetSession,
  kGetSystem,
  kExecVsdMode,  // arguments: VSD id, mode word
  kExecProbe,    // argument(…, "interface"), "mac", "probe-count"
  kExecSyncRto,  // argument: class; its last word is "peer" when the peer is to send
  kClearNsrpCounters,
  kClearClusterNsrpCounters,
};

struct Command {
  CommandId id;
  Words words;                         // with keywords written out in full
  Words shown;                         // the same for messages and logs: passwords masked
  std::vector<std::string> arguments;  // the variable words, in order
  size_t row = 0;                      // index into the grammar table
  // Not in the manual's Table 1 (ch. 1) of commands that stay on the device. A command on a local interface stays too,
  // which depends on the configuration: see propagates().
  bool propagates = false;
};

// How many probes `exec nsrp probe` sends when it is not told; as many as `ha-link probe` waits for by default.
inline constexpr uint8_t kDefaultProbeCount = 5;

Result<Words> split_words(std::string_view line);
std::string join_words(const Words& words);  // names with blanks in quotes, so that split_words() gives `words` again
Result<Command> parse(const Words& words);

// The variable of that name, e.g. "mac"; nullopt: it was left out. For commands with more than one optional part.
std::optional<std::string> argument(const Command& command, std::string_view name);

// Carries out a kSet or kUnsetAll command on `config`. On error `config` is as before.
Status apply(Config& config, const Command& command);

// What holds only for a configuration as a whole: a manage IP in its interface's subnet, no address twice, routes
// through known VSIs. apply() ends with it.
Status validate(const Config& config);

// Whether the command concerns all members: `config` is the configuration that holds after the command, or before it
// when it removes something.
bool propagates(const Config& config, const Command& command);

// The configuration as set commands, one per line, in an order that load() accepts.
enum class Secrets : uint8_t { kWritten, kMasked, kLeftOut };  // kMasked: for the eye, load() refuses it
std::string print(const Config& config, Secrets secrets);

// Reads a whole file. An error names file, line and word: "nsrp.conf:12: …".
Result<Config> load(std::string_view text, std::string_view file_name);

// What may follow these words, one line per possibility: "word<TAB>help". The last word may be partial ("" lists all).
// What stands in angle brackets is not to be typed: "<priority:1-254>" a variable, "<return>" the end of the command.
std::vector<std::string> completions(const Words& words);

// The language as Markdown, for docs/commands.md: every row with ranges, defaults, propagation.
std::string describe();

// FNV-1a over the commands of print() that propagate: equal on members that agree. Shown as configuration checksum.
uint64_t checksum(const Config& config);

}  // namespace nsrp::config
