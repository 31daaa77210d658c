// SPDX-License-Identifier: Apache-2.0
#include "kernel/libbpf_log.h"

#include <bpf/libbpf.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <sstream>
#include <string>
#include <system_error>

namespace nsrp::kernel {
namespace {

thread_local LibbpfLog* current = nullptr;

__attribute__((format(printf, 2, 0))) int collect(libbpf_print_level level, const char* format, va_list args) {
  if (current == nullptr || level == LIBBPF_DEBUG) return 0;
  va_list again;
  va_copy(again, args);
  const int size = std::vsnprintf(nullptr, 0, format, args);
  if (size > 0) {
    std::string text(static_cast<size_t>(size) + 1, '\0');
    (void)std::vsnprintf(text.data(), text.size(), format, again);
    current->add(text.c_str());
  }
  va_end(again);
  return 0;
}

// "processed 1234 insns …" and libbpf's frame around the log say nothing about the reason.
bool explains(const std::string& line) {
  return !line.empty() && line.find("processed ") != 0 && line.find("-- END PROG LOAD LOG --") == std::string::npos;
}

}  // namespace

LibbpfLog::LibbpfLog() : outer_(current) {
  static std::once_flag once;
  std::call_once(once, [] { libbpf_set_print(collect); });
  current = this;
}

LibbpfLog::~LibbpfLog() {
  current = outer_;
}

void LibbpfLog::add(const char* text) {
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines_.push_back(line);
}

std::string LibbpfLog::reason(int error) const {
  for (size_t i = lines_.size(); i-- > 0;) {
    if (lines_[i].find("-- END PROG LOAD LOG --") == std::string::npos) continue;
    while (i-- > 0)
      if (explains(lines_[i])) return lines_[i] + " (" + errno_text(error) + ")";
    break;
  }
  static const std::string kPrefix = "libbpf: ";
  for (const std::string& line : lines_)
    if (line.starts_with(kPrefix + "map '")) return line.substr(kPrefix.size());
  return errno_text(error);
}

std::string errno_text(int error) {
  return std::generic_category().message(std::abs(error));
}

}  // namespace nsrp::kernel
