// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <memory>
#include <unordered_map>
#include <vector>

#include "net.h"

namespace nsrp::traffic {
namespace {

class EchoServer {
 public:
  Status open(const ServerOptions& options);
  void run();

 private:
  struct Connection {
    Fd fd;
    std::vector<char> pending;  // read, and not yet written back
    Poller::Handler handler;
  };

  void accept_all();
  void echo_datagrams();
  void on_ready(Connection& c);
  bool pump(Connection& c);  // false: the connection is over

  Poller poller_;
  Fd tcp_, udp_, signals_;
  Poller::Handler on_tcp_, on_udp_, on_signal_;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Connection>> closed_;  // freed after the round of handlers they may still be in
  bool stop_ = false;
};

Status EchoServer::open(const ServerOptions& options) {
  auto signals = stop_signals();
  if (!signals) return fail(signals.error());
  signals_ = std::move(*signals);
  on_signal_ = [this](uint32_t) { stop_ = true; };
  if (Status done = poller_.add(signals_.get(), EPOLLIN, &on_signal_); !done) return done;
  if (options.tcp_port != 0) {
    auto fd = listen_on(SOCK_STREAM, options.tcp_port);
    if (!fd) return fail(fd.error());
    tcp_ = std::move(*fd);
    on_tcp_ = [this](uint32_t) { accept_all(); };
    if (Status done = poller_.add(tcp_.get(), EPOLLIN, &on_tcp_); !done) return done;
  }
  if (options.udp_port != 0) {
    auto fd = listen_on(SOCK_DGRAM, options.udp_port);
    if (!fd) return fail(fd.error());
    udp_ = std::move(*fd);
    on_udp_ = [this](uint32_t) { echo_datagrams(); };
    if (Status done = poller_.add(udp_.get(), EPOLLIN, &on_udp_); !done) return done;
  }
  return {};
}

void EchoServer::run() {
  while (!stop_) {
    poller_.wait();
    closed_.clear();
  }
}

void EchoServer::accept_all() {
  for (;;) {
    Fd fd(accept4(tcp_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) return;
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto connection = std::make_unique<Connection>();
    Connection* c = connection.get();
    c->fd = std::move(fd);
    c->handler = [this, c](uint32_t) { on_ready(*c); };
    if (poller_.add(c->fd.get(), EPOLLIN, &c->handler)) connections_.emplace(c->fd.get(), std::move(connection));
  }
}

void EchoServer::on_ready(Connection& c) {
  const bool had_pending = !c.pending.empty();
  if (!pump(c)) {
    auto node = connections_.extract(c.fd.get());
    c.fd.reset();
    closed_.push_back(std::move(node.mapped()));
    return;
  }
  // While the other side does not read, we do not read either: memory stays bounded.
  if (const bool has_pending = !c.pending.empty(); has_pending != had_pending)
    (void)poller_.change(c.fd.get(), has_pending ? EPOLLOUT : EPOLLIN, &c.handler);
}

bool EchoServer::pump(Connection& c) {
  if (c.pending.empty()) {
    std::array<char, 16384> buffer;
    const ssize_t n = recv(c.fd.get(), buffer.data(), buffer.size(), 0);
    if (n <= 0) return n < 0 && errno == EAGAIN;
    c.pending.assign(buffer.data(), buffer.data() + n);
  }
  const ssize_t n = send(c.fd.get(), c.pending.data(), c.pending.size(), MSG_NOSIGNAL);
  if (n < 0) return errno == EAGAIN;
  c.pending.erase(c.pending.begin(), c.pending.begin() + n);
  return true;
}

void EchoServer::echo_datagrams() {
  std::array<char, 2048> buffer;
  Endpoint from;
  for (int i = 0; i < 64; ++i) {
    from.length = sizeof from.storage;
    const ssize_t n =
        recvfrom(udp_.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from.storage), &from.length);
    if (n < 0) return;
    // A reply the network refuses is a lost packet; the client counts it.
    (void)sendto(udp_.get(), buffer.data(), static_cast<size_t>(n), 0, from.get(), from.length);
  }
}

}  // namespace

Status run_server(const ServerOptions& options) {
  EchoServer server;
  if (Status done = server.open(options); !done) return done;
  server.run();
  return {};
}

}  // namespace nsrp::traffic
