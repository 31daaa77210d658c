// SPDX-License-Identifier: Apache-2.0
#include "latency.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "ctnetlink_reader.h"
#include "host.h"

namespace nsrp::sessions {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::microseconds kLookEvery{200};  // what a figure may be too large by
constexpr std::chrono::seconds kLimit{5};

Status send_packet(const Fd& socket, const UdpPacket& packet) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  std::memcpy(&to.sin_addr, packet.to, sizeof packet.to);
  if (sendto(socket.get(), &packet, sizeof packet, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) < 0)
    return fail(last_error("cannot send a packet"));
  return {};
}

}  // namespace

Result<LatencyResult> measure_latency(const LatencyOptions& options) {
  Result<Fd> sender = open_socket("", AF_INET, SOCK_RAW, IPPROTO_RAW);
  if (!sender) return fail(sender.error());
  Result<CtnetlinkReader> observer = CtnetlinkReader::open(options.observed);
  if (!observer) return fail(observer.error());
  LatencyResult result;
  const auto began = Clock::now();
  for (uint64_t i = 0; i < options.count; ++i) {
    const Direction session = options.numbering.at(options.first + i);
    std::this_thread::sleep_until(began + i * std::chrono::milliseconds(options.interval_ms));
    const auto sent_at = Clock::now();
    if (Status sent = send_packet(*sender, packet_of(session)); !sent) return fail(sent.error());
    for (;;) {
      const Result<bool> there = observer->has(IPPROTO_UDP, session);
      if (!there) return fail(there.error());
      const auto passed = Clock::now() - sent_at;
      if (*there) {
        result.milliseconds.push_back(std::chrono::duration<double, std::milli>(passed).count());
        break;
      }
      if (passed > kLimit) {
        ++result.missing;
        break;
      }
      std::this_thread::sleep_for(kLookEvery);
    }
  }
  std::sort(result.milliseconds.begin(), result.milliseconds.end());
  return result;
}

}  // namespace nsrp::sessions
