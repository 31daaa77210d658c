// SPDX-License-Identifier: Apache-2.0
#include "storm.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "host.h"

namespace nsrp::sessions {
namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kBatch = 64;

#pragma pack(push, 1)
struct Frame {
  ether_header ethernet;
  UdpPacket packet;
};
#pragma pack(pop)

struct Wire {
  Fd socket;
  ether_header header{};
};

Result<Wire> open_wire(const StormOptions& options) {
  Wire wire;
  Result<Fd> opened = open_socket("", AF_PACKET, SOCK_RAW, 0);
  if (!opened) return fail(opened.error());
  wire.socket = std::move(*opened);
  ifreq request{};
  std::strncpy(request.ifr_name, options.interface.c_str(), IFNAMSIZ - 1);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(if_nametoindex(options.interface.c_str()));
  if (address.sll_ifindex == 0 || ioctl(wire.socket.get(), SIOCGIFHWADDR, &request) != 0 ||
      bind(wire.socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(last_error("cannot send on " + options.interface));
  const int on = 1;
  (void)setsockopt(wire.socket.get(), SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
  std::memcpy(wire.header.ether_dhost, options.to_mac.data(), ETH_ALEN);
  std::memcpy(wire.header.ether_shost, request.ifr_hwaddr.sa_data, ETH_ALEN);
  wire.header.ether_type = htons(ETHERTYPE_IP);
  return wire;
}

class Batch {
 public:
  explicit Batch(const Wire& wire) : wire_(wire) {
    for (size_t i = 0; i < kBatch; ++i) {
      frames_[i].ethernet = wire.header;
      vectors_[i] = {&frames_[i], sizeof frames_[i]};
      messages_[i].msg_hdr.msg_iov = &vectors_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  // Each number once; what the device refuses is passed over.
  void send(const Numbering& numbering, uint64_t first, size_t count, StormResult& result) {
    for (size_t i = 0; i < count; ++i) frames_[i].packet = packet_of(numbering.at(first + i));
    for (size_t done = 0; done < count;) {
      const int sent = sendmmsg(wire_.socket.get(), &messages_[done], static_cast<unsigned>(count - done), 0);
      if (sent > 0) {
        result.sent += static_cast<uint64_t>(sent);
        done += static_cast<size_t>(sent);
      } else if (errno != EINTR) {
        ++result.refused;
        ++done;
      }
    }
  }

 private:
  const Wire& wire_;
  std::array<Frame, kBatch> frames_{};
  std::array<iovec, kBatch> vectors_{};
  std::array<mmsghdr, kBatch> messages_{};
};

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

Result<StormResult> run_storm(const StormOptions& options) {
  Result<Wire> wire = open_wire(options);
  if (!wire) return fail(wire.error());
  Batch batch(*wire);
  StormResult result;
  const auto began = Clock::now();
  for (uint64_t number = 0; number < options.count;) {
    const size_t count = std::min<uint64_t>(kBatch, options.count - number);
    if (options.rate > 0) {
      const std::chrono::duration<double> due(static_cast<double>(number) / options.rate);
      std::this_thread::sleep_until(began + std::chrono::duration_cast<Clock::duration>(due));
    }
    batch.send(options.numbering, options.first + number, count, result);
    number += count;
  }
  result.seconds = std::chrono::duration<double>(Clock::now() - began).count();
  result.cpu_seconds = cpu_seconds();
  return result;
}

}  // namespace nsrp::sessions
