// SPDX-License-Identifier: Apache-2.0
// Network namespaces without a name: they end with the object, or with the process, whatever happens.
//
//   Namespace router;
//   Inside inside(router);           // until the end of the block
//   sh("ip link set lo up");
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "kernel/unique_fd.h"

namespace nsrp::test {

class Namespace {
 public:
  Namespace();  // empty; the caller stays where it is
  int fd() const { return fd_.get(); }
  // What `ip link set DEV netns PATH` takes, for as long as this process lives.
  std::string path() const;

 private:
  kernel::UniqueFd fd_;
};

// The calling thread is in the namespace while this lives.
class Inside {
 public:
  explicit Inside(const Namespace& where);
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside();

 private:
  kernel::UniqueFd before_;
};

// Runs a command in the present namespace and returns what it printed; the test fails when the command does.
std::string sh(const std::string& command);

// Polls until the condition holds; false when it did not within a generous time.
bool eventually(const std::function<bool()>& condition, std::chrono::seconds limit = std::chrono::seconds(20));

uint32_t ifindex(const std::string& name);

}  // namespace nsrp::test
