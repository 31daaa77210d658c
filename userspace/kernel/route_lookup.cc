// SPDX-License-Identifier: Apache-2.0
#include "kernel/route_lookup.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace nsrp::kernel {
namespace {

constexpr size_t kMessage = 8192;

Error broken(int error) {
  return Error{std::string("cannot ask the kernel for a route: ") + std::strerror(error)};
}

int collect(const nlattr* attribute, void* context) {
  auto& attributes = *static_cast<std::array<const nlattr*, RTA_MAX + 1>*>(context);
  const uint16_t type = mnl_attr_get_type(attribute);
  if (type < attributes.size()) attributes[type] = attribute;
  return MNL_CB_OK;
}

std::optional<NextHop> parse(const nlmsghdr* message, const IpAddress& destination) {
  const auto* route = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
  std::array<const nlattr*, RTA_MAX + 1> attributes{};
  mnl_attr_parse(message, sizeof(rtmsg), collect, &attributes);
  if (route->rtm_type != RTN_UNICAST || attributes[RTA_OIF] == nullptr) return std::nullopt;
  NextHop hop{IfIndex{mnl_attr_get_u32(attributes[RTA_OIF])}, destination};
  if (const nlattr* via = attributes[RTA_GATEWAY];
      via != nullptr && mnl_attr_get_payload_len(via) == destination.size())
    std::memcpy(hop.address.bytes.data(), mnl_attr_get_payload(via), destination.size());
  return hop;
}

}  // namespace

Result<std::unique_ptr<RouteLookup>> RouteLookup::open() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  // The kernel answers within the sending call; the timeout only turns a bug into an error instead of a hang.
  const timeval patience{10, 0};
  if (!fd.valid() || ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
    return fail(broken(errno));
  return std::unique_ptr<RouteLookup>(new RouteLookup(std::move(fd)));
}

Result<std::optional<NextHop>> RouteLookup::next_hop(const IpAddress& destination) {
  std::array<char, kMessage> buffer{};
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = RTM_GETROUTE;
  request->nlmsg_flags = NLM_F_REQUEST;
  request->nlmsg_seq = ++sequence_;
  auto* route = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtmsg)));
  route->rtm_family = destination.family == Family::kIpv4 ? AF_INET : AF_INET6;
  route->rtm_dst_len = destination.max_prefix_length();
  mnl_attr_put(request, RTA_DST, destination.size(), destination.bytes.data());
  if (::send(fd_.get(), request, request->nlmsg_len, 0) < 0) return fail(broken(errno));
  for (;;) {
    const ssize_t size = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail(broken(errno));
    const auto* answer = reinterpret_cast<const nlmsghdr*>(buffer.data());
    if (!mnl_nlmsg_ok(answer, static_cast<int>(size)) || answer->nlmsg_seq != sequence_) continue;
    if (answer->nlmsg_type != RTM_NEWROUTE) return std::optional<NextHop>{};  // an error: there is no route
    return parse(answer, destination);
  }
}

}  // namespace nsrp::kernel
