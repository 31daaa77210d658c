// SPDX-License-Identifier: Apache-2.0
#include "daemon/rto_connection.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "io/clock.h"

namespace nsrp::daemon {

namespace {

constexpr size_t kReadBytes = 64 << 10;
constexpr int kReadsPerTurn = 4;
constexpr uint8_t kTlsHandshake = 0x16, kTlsAlert = 0x15;  // RFC 8446, 5.1; a message in clear begins with 0

}  // namespace

RtoConnection::RtoConnection(io::Loop& loop, io::Fd socket, std::unique_ptr<io::TlsStream> tls)
    : loop_(loop), socket_(std::move(socket)), tls_(std::move(tls)) {}

RtoConnection::~RtoConnection() {
  close();
}

void RtoConnection::begin(Handlers handlers) {
  const auto self = shared_from_this();
  handlers_ = std::move(handlers);
  read_watch_ = loop_.watch(socket_.get(), io::Loop::kReadable, [this] { on_readable(); });
  if (!tls_) return become_established();
  limit_ = loop_.call_at(io::now() + kHandshakeLimit, [this] {
    limit_ = 0;
    fail_with("the peer does not answer the handshake of the protected connection");
  });
  if (const Status begun = take_protected({}); !begun) fail_with(begun.error().message);
}

void RtoConnection::close() {
  if (std::exchange(closed_, true)) return;
  if (limit_ != 0) loop_.cancel(std::exchange(limit_, 0));
  read_watch_ = {};
  write_watch_ = {};
  socket_.reset();
}

size_t RtoConnection::room() const {
  return unsent_.size() >= kMaxUnsentBytes ? 0 : kMaxUnsentBytes - unsent_.size();
}

void RtoConnection::become_established() {
  if (limit_ != 0) loop_.cancel(std::exchange(limit_, 0));
  established_ = true;
  handlers_.established();
}

void RtoConnection::fail_with(const std::string& cause) {
  if (closed_) return;
  const auto self = shared_from_this();
  close();
  handlers_.failed(cause);
}

void RtoConnection::on_readable() {
  const auto self = shared_from_this();
  std::vector<uint8_t> bytes(kReadBytes);
  for (int i = 0; i < kReadsPerTurn && !closed_; ++i) {
    const ssize_t size = recv(socket_.get(), bytes.data(), bytes.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size < 0) return fail_with("the connection to the peer broke: " + std::string(std::strerror(errno)));
    if (size == 0) return fail_with("the peer closed the connection");
    if (const Status taken = take(std::span(bytes).first(static_cast<size_t>(size))); !taken) {
      return fail_with(taken.error().message);
    }
    if (static_cast<size_t>(size) < bytes.size()) return;
  }
}

Status RtoConnection::take(std::span<const uint8_t> bytes) {
  const bool first = !std::exchange(heard_, true);
  const bool tls_record = bytes.front() == kTlsHandshake || bytes.front() == kTlsAlert;
  if (first && tls_ && !tls_record) return fail("the peer talks in clear, and this device has an NSRP password");
  if (first && !tls_ && tls_record)
    return fail("the peer wants a protected connection: this device has no NSRP password");
  if (tls_) return take_protected(bytes);
  handlers_.received(bytes);
  return {};
}

Status RtoConnection::take_protected(std::span<const uint8_t> bytes) {
  const Status fed = tls_->feed(bytes);
  queue(tls_->take_outgoing());  // an alert too, when it is an error
  if (!fed) return fed;
  if (!tls_->established()) return {};
  if (!established_) become_established();
  std::vector<uint8_t> plain(kReadBytes);
  while (!closed_) {
    const Result<size_t> size = tls_->read(plain);
    if (!size) return fail(size.error());
    if (*size == 0) break;
    handlers_.received(std::span(plain).first(*size));
  }
  if (!closed_) queue(tls_->take_outgoing());
  return {};
}

void RtoConnection::send(std::span<const uint8_t> bytes) {
  if (closed_ || !established_) return;
  if (!tls_) return queue(bytes);
  // What goes wrong here is seen and told by the reading side, outside of any caller of send().
  (void)tls_->write(bytes);
  queue(tls_->take_outgoing());
}

void RtoConnection::queue(std::span<const uint8_t> bytes) {
  if (bytes.empty() || closed_) return;
  const bool idle = unsent_.empty();
  unsent_.insert(unsent_.end(), bytes.begin(), bytes.end());
  if (idle) flush();
}

void RtoConnection::flush() {
  const ssize_t size = ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
  if (size > 0) unsent_.erase(unsent_.begin(), unsent_.begin() + size);
  if (waits_for_room_ == !unsent_.empty()) return;
  waits_for_room_ = !unsent_.empty();
  if (!waits_for_room_) {
    write_watch_ = {};
    return;
  }
  write_watch_ = loop_.watch(socket_.get(), io::Loop::kWritable, [this] {
    const auto self = shared_from_this();
    flush();
    if (established_ && !closed_) handlers_.has_room();
  });
}

}  // namespace nsrp::daemon
