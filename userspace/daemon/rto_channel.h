// SPDX-License-Identifier: Apache-2.0
// The reliable channel to the RTO peer: one TCP connection between IPv6 link-local addresses on an HA link. The member
// with the lower unit id connects, the other listens and takes connections only from the address the peer announces in
// its heartbeats. A broken connection is made anew, first after 100 ms, then more slowly down to once a second.
//
// With a password the connection is TLS 1.3 with a key that only these two members have; without one it is in clear. A
// connection takes the place of the one before only when it is established: who knows no password disturbs nothing.
//
// Lives on one loop's thread. A handler may call send() and close().
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/ids.h"
#include "base/result.h"
#include "daemon/rto_connection.h"
#include "io/fd.h"
#include "io/loop.h"
#include "wire/keys.h"

namespace nsrp::daemon {

struct RtoPeer {
  UnitId unit;
  IpAddress address;                         // IPv6 link-local
  IfIndex ifindex;                           // of this device's HA interface
  std::shared_ptr<const wire::Keys> keys{};  // that heartbeats are protected with; nullptr: none
  bool operator==(const RtoPeer&) const = default;
};

class RtoChannel {
 public:
  static constexpr uint16_t kPort = 4778;
  static constexpr size_t kMostPending = 4;  // connections whose handshake is not finished

  struct Handlers {
    std::function<void()> connected;
    std::function<void(std::span<const uint8_t>)> received;
    std::function<void()> has_room;
    std::function<void()> disconnected;
    std::function<void(const std::string&)> report;  // for the operator
  };

  RtoChannel(io::Loop& loop, Handlers handlers);
  ~RtoChannel();
  RtoChannel(const RtoChannel&) = delete;
  RtoChannel& operator=(const RtoChannel&) = delete;

  // Whom to keep a connection with; nullopt: nobody.
  void set_peer(UnitId own, std::optional<RtoPeer> peer);

  bool connected() const { return connection_ != nullptr; }
  size_t room() const;
  void send(std::span<const uint8_t> bytes);
  void close(const std::string& reason);  // and make it anew

 private:
  static constexpr milliseconds kFirstBackoff{100}, kLastBackoff{1000}, kConnectLimit{1000};
  static constexpr seconds kStable{2};  // a connection that lived as long was a good one

  bool connects() const { return own_ < peer_->unit; }
  void begin();
  void retry_later(const std::string& cause);
  void drop(const std::string& reason);
  void stop_everything(const std::string& reason);
  Status listen();
  Status start_connecting();
  void on_acceptable();
  void on_connect_result();
  void take_up(io::Fd socket);
  void on_established(RtoConnection* connection);
  void on_failed(RtoConnection* connection, const std::string& cause);
  std::shared_ptr<RtoConnection> take_pending(RtoConnection* connection);
  Result<std::unique_ptr<io::TlsStream>> protection() const;
  void report_once(const std::string& cause);

  io::Loop& loop_;
  Handlers handlers_;
  UnitId own_;
  std::optional<RtoPeer> peer_;

  io::Fd listener_, connecting_;
  io::Watch listener_watch_, connecting_watch_;
  std::vector<std::shared_ptr<RtoConnection>> pending_;
  std::shared_ptr<RtoConnection> connection_;  // established
  Instant connected_since_;
  io::Loop::TimerId timer_ = 0;
  milliseconds backoff_ = kFirstBackoff;
  std::string reported_;  // the failure the operator has been told of
};

}  // namespace nsrp::daemon
