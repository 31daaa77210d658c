// SPDX-License-Identifier: Apache-2.0
// One TCP connection of the RTO channel, in clear or inside TLS. Which of several counts is RtoChannel's to say.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/fd.h"
#include "io/loop.h"
#include "io/tls_stream.h"

namespace nsrp::daemon {

class RtoConnection : public std::enable_shared_from_this<RtoConnection> {
 public:
  static constexpr size_t kMaxUnsentBytes = 256 << 10;
  static constexpr seconds kHandshakeLimit{2};

  // Called on the loop; each may close the connection.
  struct Handlers {
    std::function<void()> established;
    std::function<void(std::span<const uint8_t>)> received;
    std::function<void()> has_room;
    std::function<void(const std::string& cause)> failed;
  };

  // `tls`: nullptr for a connection in clear.
  RtoConnection(io::Loop& loop, io::Fd socket, std::unique_ptr<io::TlsStream> tls);
  ~RtoConnection();
  RtoConnection(const RtoConnection&) = delete;
  RtoConnection& operator=(const RtoConnection&) = delete;

  void begin(Handlers handlers);
  void close();  // nothing is called after it

  bool established() const { return established_; }
  size_t room() const;
  void send(std::span<const uint8_t> bytes);

 private:
  void on_readable();
  Status take(std::span<const uint8_t> bytes);
  Status take_protected(std::span<const uint8_t> bytes);
  void become_established();
  void queue(std::span<const uint8_t> bytes);
  void flush();
  void fail_with(const std::string& cause);

  io::Loop& loop_;
  Handlers handlers_;
  io::Fd socket_;
  std::unique_ptr<io::TlsStream> tls_;
  io::Watch read_watch_, write_watch_;
  io::Loop::TimerId limit_ = 0;
  std::vector<uint8_t> unsent_;
  bool waits_for_room_ = false;
  bool established_ = false;
  bool heard_ = false;  // anything
  bool closed_ = false;
};

}  // namespace nsrp::daemon
