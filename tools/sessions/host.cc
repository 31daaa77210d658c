// SPDX-License-Identifier: Apache-2.0
#include "host.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace nsrp::sessions {

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

std::string last_error(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

Result<Fd> open_socket(const std::string& name, int domain, int type, int protocol) {
  const Fd here(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!here) return fail(last_error("cannot open the own network namespace"));
  if (!name.empty()) {
    const Fd there(open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC));
    if (!there || setns(there.get(), CLONE_NEWNET) != 0) return fail(last_error("cannot enter namespace " + name));
  }
  Fd opened(socket(domain, type | SOCK_CLOEXEC, protocol));
  const int error = errno;
  if (!name.empty() && setns(here.get(), CLONE_NEWNET) != 0) return fail(last_error("cannot leave namespace " + name));
  errno = error;
  if (!opened) return fail(last_error("cannot open a socket"));
  return opened;
}

}  // namespace nsrp::sessions
