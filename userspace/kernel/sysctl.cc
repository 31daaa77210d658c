// SPDX-License-Identifier: Apache-2.0
#include "kernel/sysctl.h"

#include <fcntl.h>

#include <array>
#include <charconv>
#include <cstring>

#include "kernel/unique_fd.h"

namespace nsrp::kernel {
namespace {

std::string full(const std::string& path) {
  return "/proc/sys/net/" + path;
}

Status write(const std::string& path, int value) {
  UniqueFd fd(::open(full(path).c_str(), O_WRONLY | O_CLOEXEC));
  const std::string text = std::to_string(value);
  if (fd.valid() && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
  return fail("cannot set " + full(path) + " to " + text + ": " + std::strerror(errno));
}

}  // namespace

Result<int> Sysctls::read(const std::string& path) {
  UniqueFd fd(::open(full(path).c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 32> text{};
  const ssize_t length = fd.valid() ? ::read(fd.get(), text.data(), text.size()) : -1;
  if (length < 0) return fail("cannot read " + full(path) + ": " + std::strerror(errno));
  int value = 0;
  if (std::from_chars(text.data(), text.data() + length, value).ec != std::errc{})
    return fail(full(path) + " does not hold a number");
  return value;
}

Status Sysctls::set(const std::string& path, int value) {
  const auto found = read(path);
  if (!found) return fail(found.error());
  if (*found == value) return {};
  if (auto done = write(path, value); !done) return done;
  changes_.push_back({path, *found, value});
  return {};
}

Status Sysctls::at_least(const std::string& path, int value) {
  const auto found = read(path);
  if (!found) return fail(found.error());
  return *found >= value ? Status{} : set(path, value);
}

void Sysctls::restore() {
  for (; !changes_.empty(); changes_.pop_back()) {
    const Change& change = changes_.back();
    // Somebody who changed the value after us meant it.
    if (read(change.path) == change.written) (void)write(change.path, change.found);
  }
}

}  // namespace nsrp::kernel
