// SPDX-License-Identifier: Apache-2.0
#include "namespaces.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>

#include <array>
#include <cstdio>
#include <thread>

namespace nsrp::test {
namespace {

kernel::UniqueFd present() {
  kernel::UniqueFd fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  REQUIRE(fd.valid());
  return fd;
}

}  // namespace

Namespace::Namespace() {
  const kernel::UniqueFd before = present();
  REQUIRE(::unshare(CLONE_NEWNET) == 0);
  fd_ = present();
  sh("ip link set lo up");
  REQUIRE(::setns(before.get(), CLONE_NEWNET) == 0);
}

std::string Namespace::path() const {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd_.get());
}

Inside::Inside(const Namespace& where) : before_(present()) {
  REQUIRE(::setns(where.fd(), CLONE_NEWNET) == 0);
}

Inside::~Inside() {
  (void)::setns(before_.get(), CLONE_NEWNET);
}

std::string sh(const std::string& command) {
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  std::array<char, 4096> chunk;
  while (const size_t size = std::fread(chunk.data(), 1, chunk.size(), pipe)) output.append(chunk.data(), size);
  const int status = ::pclose(pipe);
  REQUIRE_MESSAGE(status == 0, command, ": ", output);
  return output;
}

bool eventually(const std::function<bool()>& condition, std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

uint32_t ifindex(const std::string& name) {
  const uint32_t index = ::if_nametoindex(name.c_str());
  REQUIRE(index != 0);
  return index;
}

}  // namespace nsrp::test
