// SPDX-License-Identifier: Apache-2.0
#include "net.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

namespace nsrp::traffic {

double to_ms(Clock::duration d) {
  return static_cast<double>(std::chrono::duration_cast<std::chrono::microseconds>(d).count()) / 1000.0;
}

void Fd::reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

std::string last_error(const std::string& what) {
  return what + ": " + std::generic_category().message(errno);
}

Result<Endpoint> parse_endpoint(const std::string& address, uint16_t port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0)
    return fail("'" + address + "' is not an IPv4 or IPv6 address");
  Endpoint endpoint;
  std::copy_n(reinterpret_cast<const char*>(found->ai_addr), found->ai_addrlen,
              reinterpret_cast<char*>(&endpoint.storage));
  endpoint.length = found->ai_addrlen;
  freeaddrinfo(found);
  return endpoint;
}

namespace {

// A program that is off the CPU for a moment must not take what it could not read for lost on the way.
void make_room(const Fd& fd, int type) {
  const int bytes = 8 << 20;
  if (type == SOCK_DGRAM) setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
}

}  // namespace

Result<Fd> listen_on(int type, uint16_t port) {
  Fd fd(socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(last_error("socket"));
  const int on = 1, off = 0;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  make_room(fd, type);
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  any.sin6_port = htons(port);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0)
    return fail(last_error("port " + std::to_string(port)));
  if (type == SOCK_STREAM && listen(fd.get(), SOMAXCONN) != 0) return fail(last_error("listen"));
  return fd;
}

Result<Fd> connect_to(int type, const Endpoint& to) {
  Fd fd(socket(to.storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(last_error("socket"));
  const int on = 1;
  if (type == SOCK_STREAM) setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  make_room(fd, type);
  if (connect(fd.get(), to.get(), to.length) != 0 && errno != EINPROGRESS) return fail(last_error("connect"));
  return fd;
}

uint16_t local_port(const Fd& fd) {
  sockaddr_in6 name{};  // the port stands at the same place in sockaddr_in
  socklen_t length = sizeof name;
  getsockname(fd.get(), reinterpret_cast<sockaddr*>(&name), &length);
  return ntohs(name.sin6_port);
}

Result<Fd> stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  Fd fd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd) return fail(last_error("signalfd"));
  return fd;
}

Result<Fd> ticker(std::chrono::microseconds period) {
  Fd fd(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!fd) return fail(last_error("timerfd"));
  timespec time{};
  time.tv_sec = period.count() / 1000000;
  time.tv_nsec = period.count() % 1000000 * 1000;
  const itimerspec spec{time, time};
  if (timerfd_settime(fd.get(), 0, &spec, nullptr) != 0) return fail(last_error("timerfd"));
  return fd;
}

uint64_t Pacer::due(TimePoint now) {
  const auto steps = [this](Clock::duration time) {
    return static_cast<uint64_t>(std::chrono::duration<double>(time).count() * rate_);
  };
  const uint64_t reached = steps(now - start_);
  const uint64_t fresh = std::min(reached - taken_, std::max<uint64_t>(steps(kMaxBurst), 1));
  taken_ = reached;
  return fresh;
}

Poller::Poller() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

Status Poller::add(int fd, uint32_t events, Handler* handler) {
  epoll_event event{.events = events, .data = {.ptr = handler}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return fail(last_error("epoll"));
  return {};
}

Status Poller::change(int fd, uint32_t events, Handler* handler) {
  epoll_event event{.events = events, .data = {.ptr = handler}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) return fail(last_error("epoll"));
  return {};
}

void Poller::wait() {
  std::array<epoll_event, 256> events;
  const int n = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
  for (int i = 0; i < n; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    (*static_cast<Handler*>(event.data.ptr))(event.events);
  }
}

}  // namespace nsrp::traffic
