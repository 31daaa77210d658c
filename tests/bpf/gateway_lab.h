// SPDX-License-Identifier: Apache-2.0
// client – gateway – server in three namespaces: one gateway that masters VSD 0, real packets, real conntrack, source
// NAT to the VSI address on the server's side.
#pragma once

#include <netinet/in.h>

#include <optional>
#include <string>
#include <vector>

#include "kernel/datapath.h"
#include "namespaces.h"

namespace nsrp::test {

inline constexpr const char* kClient = "10.1.1.99";
inline constexpr const char* kServer = "20.0.0.9";
inline constexpr const char* kUntrustVsi = "20.0.0.1";
inline constexpr const char* kClient6 = "2001:db8:1::99";
inline constexpr const char* kServer6 = "2001:db8:2::9";
inline constexpr const char* kTrustVmac = "02:4e:53:01:00:01";
inline constexpr const char* kUntrustVmac = "02:4e:53:01:00:02";

struct GatewayLab {
  Namespace client, gateway, server;
  std::unique_ptr<kernel::Datapath> datapath;

  explicit GatewayLab(uint32_t max_sessions = 4096);
  ~GatewayLab();
  GatewayLab(const GatewayLab&) = delete;
  GatewayLab& operator=(const GatewayLab&) = delete;

  void nat(const std::string& rules) const;  // replaces the gateway's NAT rules

  std::optional<nsrp_session> session(const nsrp_tuple& key) const;
  void store_session(const nsrp_tuple& key, const nsrp_session& session) const;
  std::optional<nsrp_tuple> indexed(const nsrp_tuple& reply) const;  // the key a reply tuple leads to
  size_t session_count() const;
  std::vector<nsrp_session_event> events() const;  // what the ring holds, taken out
  uint64_t count(nsrp_counter counter) const;
};

nsrp_tuple tuple(uint8_t protocol, const std::string& source, uint16_t source_port, const std::string& destination,
                 uint16_t destination_port);
bool same(const nsrp_tuple& a, const nsrp_tuple& b);

// Sockets of the namespace they were made in. An empty address binds to any.
class Socket {
 public:
  Socket(const Namespace& where, int type, const std::string& address, uint16_t port);
  explicit Socket(int fd) : fd_(fd) {}

  bool connect(const std::string& address, uint16_t port) const;
  void listen() const;
  Socket accept() const;  // waits
  void send(const std::string& text) const;
  void send_to(const std::string& address, uint16_t port, const std::string& text = "x") const;
  // Waits for a datagram or for data, and says from where it came (UDP).
  std::optional<uint16_t> receive() const;
  void reply_to_sender() const;  // UDP: receives one datagram and sends it back
  uint16_t local_port() const;
  void close() { fd_ = kernel::UniqueFd(); }

 private:
  kernel::UniqueFd fd_;
};

}  // namespace nsrp::test
