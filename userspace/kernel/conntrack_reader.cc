// SPDX-License-Identifier: Apache-2.0
#include "kernel/conntrack_reader.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "kernel/ctnetlink_message.h"

namespace nsrp::kernel {
namespace {

Error broken(int error) {
  return Error{std::string("cannot read the conntrack table: ") + std::strerror(error)};
}

}  // namespace

Result<std::unique_ptr<ConntrackReader>> ConntrackReader::begin() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  // The kernel answers within the receiving call; the timeout only turns a bug into an error instead of a hang.
  const timeval patience{10, 0};
  std::array<char, ctnetlink::kMaxMessage> request{};
  nlmsghdr* message = mnl_nlmsg_put_header(request.data());
  ctnetlink::write_header(message, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET, NLM_F_DUMP, 0);
  if (!fd.valid() || ::bind(fd.get(), reinterpret_cast<sockaddr*>(&kernel), sizeof kernel) != 0 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
      ::sendto(fd.get(), message, message->nlmsg_len, 0, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel) < 0)
    return fail(broken(errno));
  return std::unique_ptr<ConntrackReader>(new ConntrackReader(std::move(fd)));
}

Status ConntrackReader::read(size_t limit, std::vector<SessionEntry>& entries) {
  for (const size_t before = entries.size(); !at_end_ && entries.size() - before < limit;) {
    const ssize_t size = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail(broken(errno));
    int left = static_cast<int>(size);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer_.data()); mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_type == NLMSG_ERROR)
        return fail(broken(-static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error));
      if (message->nlmsg_type == NLMSG_DONE) {
        at_end_ = true;
      } else if (const auto entry = ctnetlink::parse_entry(message)) {
        entries.push_back(ctnetlink::to_event(*entry));
      }
    }
  }
  return {};
}

}  // namespace nsrp::kernel
