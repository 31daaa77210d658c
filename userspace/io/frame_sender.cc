// SPDX-License-Identifier: Apache-2.0
#include "io/frame_sender.h"

#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace nsrp::io {

namespace {

constexpr int kSendBuffer = 8 << 20;

// The kernel's struct virtio_net_hdr, whose header is none for C++.
struct Offload {
  uint8_t flags;
  uint8_t gso_type;
  uint16_t header_length, gso_size;
  uint16_t checksum_start, checksum_offset;
};
static_assert(sizeof(Offload) == 10);
constexpr uint8_t kNeedsChecksum = 1;  // VIRTIO_NET_HDR_F_NEEDS_CSUM

}  // namespace

Result<FrameSender> FrameSender::open() {
  Fd fd(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (!fd || setsockopt(fd.get(), SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) != 0) {
    return fail("cannot open a raw socket: " + std::string(std::strerror(errno)));
  }
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kSendBuffer, sizeof kSendBuffer);
  return FrameSender(std::move(fd));
}

bool FrameSender::send(IfIndex ifindex, std::span<const uint8_t> frame, uint32_t mark,
                       std::optional<OpenChecksum> checksum) const {
  Offload offload{};
  if (checksum) {
    offload.flags = kNeedsChecksum;
    offload.checksum_start = checksum->start;
    offload.checksum_offset = checksum->offset;
  }
  std::array<iovec, 2> parts{{{&offload, sizeof offload}, {const_cast<uint8_t*>(frame.data()), frame.size()}}};
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(ifindex.value);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof mark)> control{};
  msghdr message{};
  message.msg_name = &to;
  message.msg_namelen = sizeof to;
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* with_mark = CMSG_FIRSTHDR(&message);
  with_mark->cmsg_level = SOL_SOCKET;
  with_mark->cmsg_type = SO_MARK;
  with_mark->cmsg_len = CMSG_LEN(sizeof mark);
  std::memcpy(CMSG_DATA(with_mark), &mark, sizeof mark);
  return sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) ==
         static_cast<ssize_t>(sizeof offload + frame.size());
}

}  // namespace nsrp::io
