// SPDX-License-Identifier: Apache-2.0
// Seals and opens frames in place: AES-256-GCM under one key, with the frame's counter as nonce.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "wire/frame.h"
#include "wire/secret_key.h"

struct evp_cipher_ctx_st;

namespace nsrp::wire {

class Aead {
 public:
  explicit Aead(const SecretKey& key);

  // `frame` is one that encode_frame() made; its body is encrypted when its head says so, its tag is written.
  void seal(Bytes& frame, const FrameHead& head);
  // The body in clear; nullopt when the frame is not authentic.
  std::optional<Bytes> open(const FrameView& frame);

 private:
  struct Free {
    void operator()(evp_cipher_ctx_st* context) const;
  };
  std::unique_ptr<evp_cipher_ctx_st, Free> context_;
};

}  // namespace nsrp::wire
