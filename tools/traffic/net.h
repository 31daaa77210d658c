// SPDX-License-Identifier: Apache-2.0
// Sockets, epoll and the clock, as the traffic tool needs them.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "base/result.h"

namespace nsrp::traffic {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

double to_ms(Clock::duration d);  // with microseconds behind the point

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { reset(); }
  void reset();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

struct Endpoint {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Result<Endpoint> parse_endpoint(const std::string& address, uint16_t port);  // numeric, IPv4 or IPv6
Result<Fd> listen_on(int type, uint16_t port);                               // [::], both families
Result<Fd> connect_to(int type, const Endpoint& to);                         // non-blocking; TCP may still be under way
uint16_t local_port(const Fd& fd);
Result<Fd> stop_signals();  // SIGTERM and SIGINT as a descriptor
Result<Fd> ticker(std::chrono::microseconds period);
std::string last_error(const std::string& what);  // "what: the system's words for errno"

// epoll, with a callback per descriptor.
class Poller {
 public:
  using Handler = std::function<void(uint32_t events)>;
  Poller();
  Status add(int fd, uint32_t events, Handler* handler);
  Status change(int fd, uint32_t events, Handler* handler);
  void wait();  // blocks until something is ready, then calls the handlers

 private:
  Fd epoll_;
};

// What is due by now at a steady rate: `due()` steps beyond those taken. A sender that was held up does not make good
// for it: beyond kMaxBurst steps the missed ones are dropped, or a burst would overrun buffers and look like loss.
class Pacer {
 public:
  static constexpr std::chrono::milliseconds kMaxBurst{20};
  Pacer() = default;
  Pacer(TimePoint start, double steps_per_second) : start_(start), rate_(steps_per_second) {}
  uint64_t due(TimePoint now);

 private:
  TimePoint start_;
  double rate_ = 0;
  uint64_t taken_ = 0;
};

// Payload that tells where it belongs: the 8 bytes at `index` of stream `stream`.
constexpr uint64_t pattern_word(uint64_t stream, uint64_t index) {
  uint64_t x = (stream << 40 ^ index) + 0x9e3779b97f4a7c15;  // splitmix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace nsrp::traffic
