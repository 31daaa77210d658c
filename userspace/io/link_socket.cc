// SPDX-License-Identifier: Apache-2.0
#include "io/link_socket.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace nsrp::io {

namespace {

constexpr int kControlPriority = 7;  // TC_PRIO_CONTROL: ahead of bulk on the same link
constexpr int kReceiveBuffer = 1 << 20;

}  // namespace

Result<LinkSocket> LinkSocket::open(IfIndex ifindex, uint16_t ethertype) {
  const auto error = [](const char* what) { return fail(std::string(what) + ": " + std::strerror(errno)); };
  Fd fd(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return error("cannot open a raw socket");
  setsockopt(fd.get(), SOL_SOCKET, SO_PRIORITY, &kControlPriority, sizeof kControlPriority);
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ethertype);
  address.sll_ifindex = static_cast<int>(ifindex.value);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    return error("cannot bind a raw socket to the interface");
  }
  return LinkSocket(std::move(fd), ifindex);
}

bool LinkSocket::send(std::span<const uint8_t> frame) const {
  return ::send(fd_.get(), frame.data(), frame.size(), MSG_DONTWAIT) == static_cast<ssize_t>(frame.size());
}

void LinkSocket::receive(size_t limit, const std::function<void(std::span<const uint8_t>)>& consume) const {
  std::array<uint8_t, ETH_FRAME_LEN + 64> buffer;
  while (limit > 0) {
    sockaddr_ll from{};
    socklen_t length = sizeof from;
    const ssize_t size =
        recvfrom(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &length);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return;  // EAGAIN; ENETDOWN when the link went down, which the link monitor reports
    --limit;
    // To another MAC address: a switch floods what it does not know, and not every driver filters.
    if (from.sll_pkttype != PACKET_OTHERHOST) consume(std::span(buffer.data(), static_cast<size_t>(size)));
  }
}

uint64_t LinkSocket::overflowed() const {
  tpacket_stats stats{};
  socklen_t size = sizeof stats;
  if (getsockopt(fd_.get(), SOL_PACKET, PACKET_STATISTICS, &stats, &size) != 0) return 0;
  return stats.tp_drops;
}

}  // namespace nsrp::io
