// SPDX-License-Identifier: Apache-2.0
#include "cli/shell.h"

#include <editline/readline.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>

namespace nsrp::cli {

namespace {

const Session* g_session = nullptr;  // libedit's completion hook takes no context

// Only as far as the shell needs it: where words begin. Quotes are the daemon's grammar, but the shell must know that
// a blank inside them ends no word.
std::vector<std::string> words_of(const std::string& line, bool keep_open_word) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false, quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
      in_word = true;
    } else if (!quoted && (c == ' ' || c == '\t')) {
      if (in_word) words.push_back(std::exchange(word, ""));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (in_word || keep_open_word) words.push_back(word);
  return words;
}

std::vector<std::string> possibilities(const std::string& text_before_cursor) {
  const auto lines = g_session->completions(words_of(text_before_cursor, true));
  return lines ? *lines : std::vector<std::string>{};
}

char* next_completion(const char* text, int state) {
  static std::vector<std::string> matches;
  static size_t next;
  if (state == 0) {
    matches.clear();
    next = 0;
    for (const std::string& line : possibilities(std::string(rl_line_buffer, static_cast<size_t>(rl_point)))) {
      const std::string word = line.substr(0, line.find('\t'));
      if (!word.starts_with('<') && word.starts_with(text)) matches.push_back(word);
    }
  }
  return next < matches.size() ? strdup(matches[next++].c_str()) : nullptr;
}

char** complete(const char* text, int, int) {
  rl_attempted_completion_over = 1;  // never file names
  return rl_completion_matches(text, next_completion);
}

void print_help(const std::string& line) {
  const auto lines = possibilities(line);
  for (const std::string& each : lines) {
    const size_t tab = each.find('\t');
    std::printf("  %-28s %s\n", each.substr(0, tab).c_str(), tab == std::string::npos ? "" : each.c_str() + tab + 1);
  }
  if (lines.empty()) std::puts("  nothing can follow");
}

// The prompt tells the role, as on the devices the language comes from: gw-a(M)->
std::string prompt_for(const Session& session) {
  const Result<Answer> answer = session.ask({"get", "nsrp"}, true);
  if (!answer) return "nsrp-> ";
  const auto status = nlohmann::json::parse(answer->out, nullptr, false);
  if (!status.is_object()) return "nsrp-> ";
  std::string role;
  for (const auto& group : status.value("vsd_groups", nlohmann::json::array())) {
    const std::string state = group.value("state", "");
    role = state == "master" ? "(M)" : state.ends_with("backup") ? "(B)" : "(I)";
    if (state == "master") break;
  }
  return status.value("hostname", "nsrp") + role + "-> ";
}

bool confirmed(const std::vector<std::string>& words) {
  const bool erase = words.size() == 2 && words[0] == "unset" && words[1] == "all";
  const bool reset = words.size() == 1 && words[0] == "reset";
  if (!erase && !reset) return true;
  std::printf("%s y / [n]? ", erase ? "Erase all system config, are you sure" : "System reset, are you sure");
  std::fflush(stdout);
  std::string reply;
  std::getline(std::cin, reply);
  return reply == "y" || reply == "Y";
}

// False: the daemon is gone.
bool run_line(const Session& session, const std::string& line, bool& refused) {
  const Result<Answer> answer = session.run(words_of(line, false));
  if (!answer) {
    std::fprintf(stderr, "nsrp: %s\n", answer.error().message.c_str());
    return false;
  }
  std::fputs(answer->out.c_str(), stdout);
  std::fflush(stdout);
  if (answer->exit != 0) {
    std::fprintf(stderr, "%s\n", answer->err.c_str());
    refused = true;
  }
  return true;
}

int run_script(const Session& session) {
  bool refused = false;
  for (std::string line; std::getline(std::cin, line);) {
    const size_t first = line.find_first_not_of(" \t");
    if (first == std::string::npos || line[first] == '#') continue;
    if (line == "exit" || line == "quit") break;
    if (!run_line(session, line, refused)) return 2;
  }
  return refused ? 1 : 0;
}

}  // namespace

int run_shell(const Session& session) {
  if (isatty(STDIN_FILENO) == 0) return run_script(session);
  g_session = &session;
  rl_readline_name = "nsrp";
  rl_attempted_completion_function = complete;
  using_history();
  for (;;) {
    char* raw = readline(prompt_for(session).c_str());
    if (!raw) break;
    const std::string line(raw);
    std::free(raw);
    const std::vector<std::string> words = words_of(line, false);
    if (words.empty()) continue;
    add_history(line.c_str());
    if (words.size() == 1 && (words[0] == "exit" || words[0] == "quit")) break;
    if (line.ends_with('?')) {
      print_help(line.substr(0, line.size() - 1));
      continue;
    }
    bool refused = false;
    if (confirmed(words) && !run_line(session, line, refused)) return 2;
  }
  return 0;
}

}  // namespace nsrp::cli
