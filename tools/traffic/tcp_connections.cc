// SPDX-License-Identifier: Apache-2.0
#include "tcp_connections.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace nsrp::traffic {
namespace {

constexpr uint64_t kMaxBacklog = 64 << 10;  // a stalled connection gets no more messages beyond this

constexpr size_t kMaxBrokenPorts = 20;  // enough to find them in a capture or in conntrack

uint8_t pattern_byte(uint64_t stream, uint64_t offset) {
  return static_cast<uint8_t>(pattern_word(stream, offset / 8) >> (offset % 8 * 8));
}

const char* reason_of(int error) {
  switch (error) {
    case ECONNRESET:
    case EPIPE:
      return "reset";
    case ETIMEDOUT:
      return "timed_out";
    case ECONNREFUSED:
      return "refused";
    default:
      return "unreachable";
  }
}

}  // namespace

Status TcpConnections::open(Poller& poller, const Endpoint& server, const Load& load) {
  poller_ = &poller;
  load_ = load;
  connections_.resize(load.connections);
  for (size_t i = 0; i < connections_.size(); ++i) {
    Connection& c = connections_[i];
    auto fd = connect_to(SOCK_STREAM, server);
    if (!fd) return fail(fd.error());
    c.fd = std::move(*fd);
    c.stream = i;
    c.handler = [this, &c](uint32_t events) { on_ready(c, events); };
    if (Status done = poller.add(c.fd.get(), EPOLLIN | EPOLLOUT, &c.handler); !done) return done;
  }
  return {};
}

void TcpConnections::start(TimePoint now) {
  start_ = now;
  const std::chrono::duration<double> interval = load_.message_interval;
  pacer_ = Pacer(now, static_cast<double>(connections_.size()) / interval.count());
}

void TcpConnections::send_due(TimePoint now) {
  if (finished_ || connections_.empty()) return;
  for (uint64_t due = pacer_.due(now); due > 0; --due, ++turns_) {
    Connection& c = connections_[turns_ % connections_.size()];
    if (c.state != State::kOpen || c.wanted - c.echoed + load_.message_bytes > kMaxBacklog) continue;
    c.wanted += load_.message_bytes;
    c.outstanding.push_back({c.wanted, now});
    if (!c.blocked) write_wanted(c);
  }
}

void TcpConnections::on_ready(Connection& c, uint32_t events) {
  if (c.state == State::kConnecting) {
    on_connected(c);
    return;
  }
  if (c.state == State::kOpen && (events & (EPOLLIN | EPOLLERR | EPOLLHUP))) read_echo(c);
  if (c.state == State::kOpen && (events & EPOLLOUT)) write_wanted(c);
}

void TcpConnections::on_connected(Connection& c) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(c.fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) {
    ++never_established_;
    ++reasons_[std::string("connect_") + reason_of(error)];
    c.state = State::kClosed;
    c.fd.reset();
    return;
  }
  ++established_;
  c.state = State::kOpen;
  (void)poller_->change(c.fd.get(), EPOLLIN, &c.handler);
}

void TcpConnections::read_echo(Connection& c) {
  std::array<uint8_t, 16384> buffer;
  const ssize_t n = recv(c.fd.get(), buffer.data(), buffer.size(), 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return close_broken(c, n == 0 ? "closed" : reason_of(errno));
  for (ssize_t i = 0; i < n; ++i) {
    if (c.echoed >= c.written || buffer[static_cast<size_t>(i)] != pattern_byte(c.stream, c.echoed))
      return close_broken(c, "corrupt");
    ++c.echoed;
  }
  bytes_ += static_cast<uint64_t>(n);
  note_echo(c, Clock::now());
}

void TcpConnections::note_echo(Connection& c, TimePoint now) {
  while (!c.outstanding.empty() && c.outstanding.front().end <= c.echoed) {
    note_stall(c, c.outstanding.front().sent_at, now);
    c.outstanding.pop_front();
    ++messages_;
  }
}

void TcpConnections::note_stall(Connection& c, TimePoint from, TimePoint to) {
  c.longest_stall = std::max(c.longest_stall, to - from);
  if (to - from <= longest_stall_) return;
  longest_stall_ = to - from;
  longest_stall_from_ = from;
}

void TcpConnections::write_wanted(Connection& c) {
  while (c.written < c.wanted) {
    std::array<uint8_t, 4096> buffer;
    const size_t n = std::min<uint64_t>(buffer.size(), c.wanted - c.written);
    for (size_t i = 0; i < n; ++i) buffer[i] = pattern_byte(c.stream, c.written + i);
    const ssize_t sent = send(c.fd.get(), buffer.data(), n, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return close_broken(c, reason_of(errno));
    if (sent < 0) break;
    c.written += static_cast<uint64_t>(sent);
  }
  const bool blocked = c.written < c.wanted;
  if (blocked != c.blocked) (void)poller_->change(c.fd.get(), blocked ? EPOLLIN | EPOLLOUT : EPOLLIN, &c.handler);
  c.blocked = blocked;
}

void TcpConnections::close_broken(Connection& c, const std::string& reason) {
  ++broken_;
  ++reasons_[reason];
  if (broken_ports_.size() < kMaxBrokenPorts) broken_ports_.push_back(local_port(c.fd));
  c.state = State::kClosed;
  c.outstanding.clear();
  c.fd.reset();
}

void TcpConnections::finish() {
  finished_ = true;  // messages already handed out are still written whole, and awaited
}

bool TcpConnections::flowing() const {
  return settled() && std::all_of(connections_.begin(), connections_.end(),
                                  [](const Connection& c) { return c.state != State::kOpen || c.echoed > 0; });
}

bool TcpConnections::all_echoed() const {
  return std::all_of(connections_.begin(), connections_.end(),
                     [](const Connection& c) { return c.state != State::kOpen || c.outstanding.empty(); });
}

void TcpConnections::give_up(TimePoint now) {
  for (Connection& c : connections_) {
    if (c.state == State::kConnecting) {
      ++never_established_;
      ++reasons_["connect_timed_out"];
      c.state = State::kClosed;
    }
    if (c.state != State::kOpen || c.outstanding.empty()) continue;
    note_stall(c, c.outstanding.front().sent_at, now);
    close_broken(c, "stalled");
  }
}

size_t TcpConnections::waiting(TimePoint now, Clock::duration longer_than) const {
  return static_cast<size_t>(std::count_if(connections_.begin(), connections_.end(), [&](const Connection& c) {
    return !c.outstanding.empty() && now - c.outstanding.front().sent_at > longer_than;
  }));
}

nlohmann::json TcpConnections::result() const {
  std::vector<Clock::duration> stalls;
  for (const Connection& c : connections_)
    if (c.written > 0) stalls.push_back(c.longest_stall);
  std::sort(stalls.begin(), stalls.end());
  return {{"connections", connections_.size()},
          {"established", established_},
          {"never_established", never_established_},
          {"broken", broken_},
          {"reasons", reasons_},
          {"broken_local_ports", broken_ports_},
          {"messages", messages_},
          {"bytes", bytes_},
          {"longest_stall_ms", to_ms(longest_stall_)},
          {"longest_stall_at_ms", to_ms(longest_stall_from_ - start_)},
          // The middle one of the connections' own longest stalls.
          {"median_stall_ms", stalls.empty() ? 0.0 : to_ms(stalls[stalls.size() / 2])}};
}

}  // namespace nsrp::traffic
