// SPDX-License-Identifier: Apache-2.0
#include "kernel/netlink_events.h"

#include <netlink/msg.h>
#include <sys/socket.h>

#include <cerrno>

namespace nsrp::kernel {
namespace {

constexpr int kEventBuffer = 8 << 20;

}  // namespace

UniqueFd listen_to_netlink(int family, std::span<const int> groups) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, family));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (!fd.valid() || ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return UniqueFd();
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kEventBuffer, sizeof kEventBuffer);
  for (const int group : groups)
    if (::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) return UniqueFd();
  return fd;
}

bool consume_netlink(int fd, const std::function<void(const nlmsghdr*)>& visit) {
  alignas(nlmsghdr) static thread_local char buffer[1 << 16];
  bool complete = true;
  for (;;) {
    sockaddr_nl from{};
    socklen_t from_size = sizeof from;
    const ssize_t size =
        ::recvfrom(fd, buffer, sizeof buffer, MSG_TRUNC, reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno != ENOBUFS) return complete;  // EAGAIN: all read
    if (size < 0 || size > static_cast<ssize_t>(sizeof buffer)) {
      complete = false;
      continue;
    }
    if (from.nl_pid != 0) continue;  // not from the kernel
    int left = static_cast<int>(size);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer); nlmsg_ok(header, left); header = nlmsg_next(header, &left))
      visit(header);
  }
}

}  // namespace nsrp::kernel
