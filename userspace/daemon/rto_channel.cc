// SPDX-License-Identifier: Apache-2.0
#include "daemon/rto_channel.h"

#include <net/if.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "io/clock.h"

namespace nsrp::daemon {
namespace {

// Longer than a busy peer is silent, shorter than anybody waits for sessions that nobody receives.
constexpr int kUserTimeoutMs = 3000;
constexpr size_t kReadBytes = 64 << 10;
constexpr int kReadsPerTurn = 4;

Error system_error(const std::string& what) {
  return Error{what + ": " + std::strerror(errno)};
}

void set_option(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof value);
}

// On one interface only: a link-local address means nothing elsewhere, and nobody else is to reach the port.
Result<io::Fd> open_socket(IfIndex ifindex) {
  io::Fd fd(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd) return fail(system_error("cannot open a socket"));
  std::array<char, IF_NAMESIZE> name{};
  if (!if_indextoname(ifindex.value, name.data())) return fail("the HA interface is gone");
  if (setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, name.data(),
                 static_cast<socklen_t>(std::strlen(name.data()))) != 0) {
    return fail(system_error("cannot bind to interface " + std::string(name.data())));
  }
  set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  return fd;
}

void tune(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

sockaddr_in6 socket_address(const RtoPeer& peer) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(RtoChannel::kPort);
  address.sin6_scope_id = peer.ifindex.value;
  std::memcpy(&address.sin6_addr, peer.address.bytes.data(), sizeof address.sin6_addr);
  return address;
}

bool is_from(const sockaddr_in6& address, const RtoPeer& peer) {
  return address.sin6_scope_id == peer.ifindex.value &&
         std::memcmp(&address.sin6_addr, peer.address.bytes.data(), sizeof address.sin6_addr) == 0;
}

}  // namespace

RtoChannel::RtoChannel(io::Loop& loop, Handlers handlers) : loop_(loop), handlers_(std::move(handlers)) {}

RtoChannel::~RtoChannel() {
  if (timer_ != 0) loop_.cancel(timer_);
}

void RtoChannel::set_peer(UnitId own, std::optional<RtoPeer> peer) {
  if (own == own_ && peer == peer_) return;
  stop_everything("the peer is reached elsewhere or not at all");
  own_ = own;
  peer_ = peer;
  backoff_ = kFirstBackoff;
  reported_.clear();
  if (peer_ && own_ != peer_->unit) begin();
}

size_t RtoChannel::room() const {
  return unsent_.size() >= kMaxUnsentBytes ? 0 : kMaxUnsentBytes - unsent_.size();
}

void RtoChannel::begin() {
  timer_ = 0;
  const Status begun = connects() ? start_connecting() : listen();
  if (!begun) retry_later(begun.error().message);
}

void RtoChannel::retry_later(const std::string& cause) {
  report_once(cause);
  drop(cause);
  if (listener_) return;  // it is the peer's turn
  timer_ = loop_.call_at(io::now() + backoff_, [this] { begin(); });
  backoff_ = std::min(2 * backoff_, kLastBackoff);
}

// An outage is one line, however often it is tried to end it.
void RtoChannel::report_once(const std::string& cause) {
  if (cause == reported_) return;
  reported_ = cause;
  handlers_.report("channel=down cause=\"" + cause + "\"");
}

void RtoChannel::drop(const std::string& reason) {
  if (timer_ != 0) loop_.cancel(std::exchange(timer_, 0));
  read_watch_ = {};
  write_watch_ = {};
  socket_.reset();
  unsent_.clear();
  waits_for_room_ = false;
  ++connection_;
  if (!std::exchange(connected_, false)) return;
  if (io::now() - connected_since_ >= kStable) backoff_ = kFirstBackoff;
  report_once(reason);
  handlers_.disconnected();
}

void RtoChannel::stop_everything(const std::string& reason) {
  listener_watch_ = {};
  listener_.reset();
  drop(reason);
}

void RtoChannel::close(const std::string& reason) {
  if (connected_) retry_later(reason);
}

Status RtoChannel::listen() {
  Result<io::Fd> fd = open_socket(peer_->ifindex);
  if (!fd) return fail(fd.error());
  set_option(fd->get(), SOL_SOCKET, SO_REUSEADDR, 1);
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  any.sin6_port = htons(kPort);
  if (bind(fd->get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0 || ::listen(fd->get(), 4) != 0) {
    return fail(system_error("cannot listen on port " + std::to_string(kPort)));
  }
  listener_ = std::move(*fd);
  listener_watch_ = loop_.watch(listener_.get(), io::Loop::kReadable, [this] { on_acceptable(); });
  return {};
}

void RtoChannel::on_acceptable() {
  sockaddr_in6 from{};
  socklen_t size = sizeof from;
  io::Fd fd(accept4(listener_.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) return;
  if (!is_from(from, *peer_)) return report_once("a connection came from an address that is not the peer's");
  if (connected_) drop("the peer connected anew");
  adopt(std::move(fd));
}

Status RtoChannel::start_connecting() {
  Result<io::Fd> fd = open_socket(peer_->ifindex);
  if (!fd) return fail(fd.error());
  const sockaddr_in6 address = socket_address(*peer_);
  if (connect(fd->get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS) {
    return fail(system_error("cannot connect to " + to_string(peer_->address)));
  }
  socket_ = std::move(*fd);
  write_watch_ = loop_.watch(socket_.get(), io::Loop::kWritable, [this] { on_connect_result(); });
  timer_ = loop_.call_at(io::now() + kConnectLimit, [this] {
    timer_ = 0;
    retry_later("the peer does not answer at " + to_string(peer_->address));
  });
  return {};
}

void RtoChannel::on_connect_result() {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    errno = error;
    return retry_later(system_error("cannot connect to " + to_string(peer_->address)).message);
  }
  write_watch_ = {};
  adopt(std::move(socket_));
}

void RtoChannel::adopt(io::Fd socket) {
  if (timer_ != 0) loop_.cancel(std::exchange(timer_, 0));
  socket_ = std::move(socket);
  tune(socket_.get());
  ++connection_;
  connected_ = true;
  connected_since_ = io::now();
  reported_.clear();
  std::array<char, IF_NAMESIZE> name{};
  if_indextoname(peer_->ifindex.value, name.data());
  handlers_.report("channel=up peer=" + to_string(peer_->unit) + " interface=" + name.data());
  read_watch_ = loop_.watch(socket_.get(), io::Loop::kReadable, [this] { on_readable(); });
  handlers_.connected();
}

void RtoChannel::on_readable() {
  std::vector<uint8_t> bytes(kReadBytes);
  const uint64_t present = connection_;
  for (int i = 0; i < kReadsPerTurn && connected_ && connection_ == present; ++i) {
    const ssize_t size = recv(socket_.get(), bytes.data(), bytes.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size < 0) return retry_later(system_error("the connection to the peer broke").message);
    if (size == 0) return retry_later("the peer closed the connection");
    handlers_.received(std::span(bytes).first(static_cast<size_t>(size)));
    if (static_cast<size_t>(size) < bytes.size()) return;
  }
}

void RtoChannel::send(std::span<const uint8_t> bytes) {
  if (!connected_) return;
  const bool idle = unsent_.empty();
  unsent_.insert(unsent_.end(), bytes.begin(), bytes.end());
  if (idle) flush();
}

void RtoChannel::flush() {
  const ssize_t size = ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
  if (size > 0) unsent_.erase(unsent_.begin(), unsent_.begin() + size);
  // What else went wrong is seen and told by the reading side, outside of any caller of send().
  if (waits_for_room_ == !unsent_.empty()) return;
  waits_for_room_ = !unsent_.empty();
  if (!waits_for_room_) {
    write_watch_ = {};
  } else {
    write_watch_ = loop_.watch(socket_.get(), io::Loop::kWritable, [this] {
      flush();
      if (connected_) handlers_.has_room();
    });
  }
}

}  // namespace nsrp::daemon
