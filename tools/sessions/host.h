// SPDX-License-Identifier: Apache-2.0
// Sockets in the network namespaces of the lab's hosts. A socket stays where it was opened, so one process can look at
// several hosts.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "base/result.h"

namespace nsrp::sessions {

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

std::string last_error(const std::string& what);  // "what: the system's words for errno"

// A socket of the namespace /run/netns/NAME; the caller's own when the name is empty.
Result<Fd> open_socket(const std::string& name, int domain, int type, int protocol);

}  // namespace nsrp::sessions
