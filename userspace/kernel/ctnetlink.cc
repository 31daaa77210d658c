// SPDX-License-Identifier: Apache-2.0
#include "kernel/ctnetlink.h"

#include <libmnl/libmnl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

namespace nsrp::kernel::ctnetlink {
namespace {

// Larger batches gain nothing more, and hold the kernel's lock for longer.
constexpr size_t kBatch = 64;
// Room for the answers to a whole batch, whatever they are: the kernel drops what does not fit.
constexpr int kReceiveBuffer = 4 << 20;
constexpr size_t kReadSize = 1 << 16;

Error broken(const char* what) {
  return Error{std::string("cannot ") + what + " conntrack: " + std::strerror(errno)};
}

}  // namespace

Channel::Channel(UniqueFd fd) : fd_(std::move(fd)), outgoing_(kBatch * kMaxMessage), incoming_(kReadSize) {}

Result<Channel> Channel::open() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (!fd.valid() || ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return fail(broken("talk to"));
  const int on = 1;
  // The kernel answers within the sending call; the timeout only turns a bug into an error instead of a hang.
  const timeval patience{10, 0};
  (void)::setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer);
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return Channel(std::move(fd));
}

Result<std::vector<int>> Channel::run(size_t count, const Write& write, const Answer& answer) {
  std::vector<int> verdicts(count, 0);
  for (size_t first = 0; first < count; first += kBatch) {
    const size_t size = std::min(kBatch, count - first);
    if (auto sent = send_batch(first, size, write); !sent) return fail(sent.error());
    if (auto heard = receive_batch(first, size, answer, verdicts); !heard) return fail(heard.error());
    sequence_ += static_cast<uint32_t>(size);
  }
  return verdicts;
}

Status Channel::send_batch(size_t first, size_t count, const Write& write) {
  size_t length = 0;
  for (size_t i = 0; i < count; ++i) {
    nlmsghdr* message = mnl_nlmsg_put_header(outgoing_.data() + length);
    write(message, first + i);
    message->nlmsg_seq = sequence_ + static_cast<uint32_t>(i);
    if (i + 1 == count) message->nlmsg_flags |= NLM_F_ACK;
    length += mnl_nlmsg_size(mnl_nlmsg_get_payload_len(message));
  }
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  while (::sendto(fd_.get(), outgoing_.data(), length, 0, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel) < 0)
    if (errno != EINTR) return fail(broken("send to"));
  return {};
}

Status Channel::receive_batch(size_t first, size_t count, const Answer& answer, std::vector<int>& verdicts) {
  for (;;) {
    const ssize_t size = ::recv(fd_.get(), incoming_.data(), incoming_.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail(broken("hear from"));
    int left = static_cast<int>(size);
    for (auto* message = reinterpret_cast<nlmsghdr*>(incoming_.data()); mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left)) {
      const size_t index = message->nlmsg_seq - sequence_;
      if (index >= count) continue;                                            // of a batch that was given up
      if (message->nlmsg_type == NLMSG_DONE && index + 1 == count) return {};  // of a dump
      if (message->nlmsg_type != NLMSG_ERROR) {
        if (answer) answer(message, first + index);
        continue;
      }
      verdicts[first + index] = -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
      if (index + 1 == count) return {};
    }
  }
}

}  // namespace nsrp::kernel::ctnetlink
