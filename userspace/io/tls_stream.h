// SPDX-License-Identifier: Apache-2.0
// TLS 1.3 with a pre-shared key and nothing else: no certificates, no earlier versions, no resumption. The key exchange
// is psk_dhe_ke, so who learns the key later cannot read what was recorded (RFC 8446, 2.2). Bytes in, bytes out: the
// socket is the caller's.
//
//   auto tls = TlsStream::create(TlsStream::Side::kClient, psk);
//   (*tls)->feed({});                                  // the client speaks first
//   send_to_socket((*tls)->take_outgoing());
//   … (*tls)->feed(from_socket); send_to_socket((*tls)->take_outgoing());
//   if ((*tls)->established()) (*tls)->write(plain);
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

struct ssl_st;
struct ssl_ctx_st;

namespace nsrp::io {

// Wipes itself.
struct TlsPsk {
  std::string identity;  // travels in clear
  std::array<uint8_t, 32> key{};

  TlsPsk() = default;
  TlsPsk(const TlsPsk&) = default;
  TlsPsk& operator=(const TlsPsk&) = default;
  ~TlsPsk();
};

class TlsStream {
 public:
  enum class Side : uint8_t { kClient, kServer };

  static Result<std::unique_ptr<TlsStream>> create(Side side, const TlsPsk& psk);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Bytes from the network. An error says in words why the peer is none: the stream is of no use then.
  Status feed(std::span<const uint8_t> bytes);
  // Both sides have proven that they hold the key.
  bool established() const { return established_; }
  // What the peer has said, in clear; 0: nothing more for now.
  Result<size_t> read(std::span<uint8_t> buffer);
  Status write(std::span<const uint8_t> plain);
  // For the network, after each of the above.
  std::vector<uint8_t> take_outgoing();

 private:
  TlsStream() = default;
  friend struct TlsCallbacks;
  Status handshake();

  struct Free {
    void operator()(ssl_st* ssl) const;
    void operator()(ssl_ctx_st* context) const;
  };
  TlsPsk psk_;
  std::unique_ptr<ssl_ctx_st, Free> context_;
  std::unique_ptr<ssl_st, Free> ssl_;
  bool established_ = false;
  uint64_t records_ = 0;  // sent since the last change of the traffic key
};

}  // namespace nsrp::io
