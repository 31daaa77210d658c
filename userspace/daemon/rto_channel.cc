// SPDX-License-Identifier: Apache-2.0
#include "daemon/rto_channel.h"

#include <net/if.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "io/clock.h"

namespace nsrp::daemon {
namespace {

// Longer than a busy peer is silent, shorter than anybody waits for sessions that nobody receives.
constexpr int kUserTimeoutMs = 3000;

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

// Both units and the key, so that each side knows whom and what the other one means.
std::string identity_of(UnitId one, UnitId other, const wire::Keys& keys) {
  std::array<char, 9> key{};
  std::snprintf(key.data(), key.size(), "%08x", keys.id());
  return "OpenNSRP " + to_string(std::min(one, other)) + " " + to_string(std::max(one, other)) + " " + key.data();
}

}  // namespace

RtoChannel::RtoChannel(io::Loop& loop, Handlers handlers) : loop_(loop), handlers_(std::move(handlers)) {}

RtoChannel::~RtoChannel() {
  if (timer_ != 0) loop_.cancel(timer_);
  for (const auto& pending : pending_) pending->close();
  if (connection_) connection_->close();
}

void RtoChannel::set_peer(UnitId own, std::optional<RtoPeer> peer) {
  if (own == own_ && peer == peer_) return;
  const bool other_keys =
      peer && peer_ && peer->unit == peer_->unit && peer->address == peer_->address && peer->ifindex == peer_->ifindex;
  stop_everything(other_keys ? "the NSRP password has changed" : "the peer is reached elsewhere or not at all");
  own_ = own;
  peer_ = peer;
  backoff_ = kFirstBackoff;
  reported_.clear();
  if (peer_ && own_ != peer_->unit) begin();
}

size_t RtoChannel::room() const {
  return connection_ ? connection_->room() : 0;
}

void RtoChannel::begin() {
  timer_ = 0;
  const Status begun = connects() ? start_connecting() : listen();
  if (!begun) retry_later(begun.error().message);
}

void RtoChannel::retry_later(const std::string& cause) {
  drop(cause);
  report_once(cause);
  if (listener_) return;  // it is the peer's turn
  timer_ = loop_.call_at(io::now() + backoff_, [this] { begin(); });
  backoff_ = std::min(2 * backoff_, kLastBackoff);
}

// An outage is one line, however often it is tried to end it.
void RtoChannel::report_once(const std::string& cause) {
  if (cause == reported_) return;
  reported_ = cause;
  handlers_.report((connection_ ? "connection=refused cause=\"" : "channel=down cause=\"") + cause + "\"");
}

void RtoChannel::drop(const std::string& reason) {
  if (timer_ != 0) loop_.cancel(std::exchange(timer_, 0));
  connecting_watch_ = {};
  connecting_.reset();
  if (!connection_) return;
  std::exchange(connection_, nullptr)->close();
  if (io::now() - connected_since_ >= kStable) backoff_ = kFirstBackoff;
  report_once(reason);
  handlers_.disconnected();
}

void RtoChannel::stop_everything(const std::string& reason) {
  listener_watch_ = {};
  listener_.reset();
  for (const auto& pending : pending_) pending->close();
  pending_.clear();
  drop(reason);
}

void RtoChannel::close(const std::string& reason) {
  if (connection_) retry_later(reason);
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
  if (pending_.size() < kMostPending) take_up(std::move(fd));
}

Status RtoChannel::start_connecting() {
  Result<io::Fd> fd = open_socket(peer_->ifindex);
  if (!fd) return fail(fd.error());
  const sockaddr_in6 address = socket_address(*peer_);
  if (connect(fd->get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS) {
    return fail(system_error("cannot connect to " + to_string(peer_->address)));
  }
  connecting_ = std::move(*fd);
  connecting_watch_ = loop_.watch(connecting_.get(), io::Loop::kWritable, [this] { on_connect_result(); });
  timer_ = loop_.call_at(io::now() + kConnectLimit, [this] {
    timer_ = 0;
    retry_later("the peer does not answer at " + to_string(peer_->address));
  });
  return {};
}

void RtoChannel::on_connect_result() {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(connecting_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    errno = error;
    return retry_later(system_error("cannot connect to " + to_string(peer_->address)).message);
  }
  if (timer_ != 0) loop_.cancel(std::exchange(timer_, 0));
  connecting_watch_ = {};
  take_up(std::move(connecting_));
}

Result<std::unique_ptr<io::TlsStream>> RtoChannel::protection() const {
  if (!peer_->keys) return std::unique_ptr<io::TlsStream>();
  io::TlsPsk psk;
  psk.identity = identity_of(own_, peer_->unit, *peer_->keys);
  const wire::SecretKey key = peer_->keys->channel_key(own_, peer_->unit);
  std::copy_n(key.data(), psk.key.size(), psk.key.begin());
  return io::TlsStream::create(connects() ? io::TlsStream::Side::kClient : io::TlsStream::Side::kServer, psk);
}

void RtoChannel::take_up(io::Fd socket) {
  tune(socket.get());
  Result<std::unique_ptr<io::TlsStream>> tls = protection();
  if (!tls) return retry_later(tls.error().message);
  const auto connection = std::make_shared<RtoConnection>(loop_, std::move(socket), std::move(*tls));
  RtoConnection* which = connection.get();
  pending_.push_back(connection);
  connection->begin({.established = [this, which] { on_established(which); },
                     .received = [this](std::span<const uint8_t> bytes) { handlers_.received(bytes); },
                     .has_room = [this] { handlers_.has_room(); },
                     .failed = [this, which](const std::string& cause) { on_failed(which, cause); }});
}

std::shared_ptr<RtoConnection> RtoChannel::take_pending(RtoConnection* connection) {
  const auto found = std::find_if(pending_.begin(), pending_.end(),
                                  [connection](const auto& pending) { return pending.get() == connection; });
  if (found == pending_.end()) return nullptr;
  std::shared_ptr<RtoConnection> taken = std::move(*found);
  pending_.erase(found);
  return taken;
}

void RtoChannel::on_established(RtoConnection* connection) {
  std::shared_ptr<RtoConnection> fresh = take_pending(connection);
  if (connection_) drop("the peer connected anew");
  connection_ = std::move(fresh);
  connected_since_ = io::now();
  reported_.clear();
  std::array<char, IF_NAMESIZE> name{};
  if_indextoname(peer_->ifindex.value, name.data());
  handlers_.report("channel=up peer=" + to_string(peer_->unit) + " interface=" + name.data() +
                   " protection=" + (peer_->keys ? "tls" : "none"));
  handlers_.connected();
}

void RtoChannel::on_failed(RtoConnection* connection, const std::string& cause) {
  // While another connection stands, one that does not come about says nothing about it.
  if (take_pending(connection) && connection_) return report_once(cause);
  retry_later(cause);
}

void RtoChannel::send(std::span<const uint8_t> bytes) {
  if (connection_) connection_->send(bytes);
}

}  // namespace nsrp::daemon
