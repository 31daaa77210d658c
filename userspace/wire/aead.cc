// SPDX-License-Identifier: Apache-2.0
#include "wire/aead.h"

#include <openssl/evp.h>

#include <array>
#include <stdexcept>

namespace nsrp::wire {

namespace {

constexpr size_t kNonceBytes = 12;

std::array<uint8_t, kNonceBytes> nonce_of(uint64_t counter) {
  std::array<uint8_t, kNonceBytes> nonce{};
  for (size_t i = 0; i < 8; ++i) nonce[kNonceBytes - 1 - i] = static_cast<uint8_t>(counter >> (8 * i));
  return nonce;
}

int length(size_t bytes) {
  return static_cast<int>(bytes);
}

[[noreturn]] void broken() {
  throw std::runtime_error("OpenSSL refuses AES-256-GCM");
}

}  // namespace

void Aead::Free::operator()(evp_cipher_ctx_st* context) const {
  EVP_CIPHER_CTX_free(context);  // wipes the key
}

Aead::Aead(const SecretKey& key) : context_(EVP_CIPHER_CTX_new()) {
  if (!context_ || EVP_CipherInit_ex(context_.get(), EVP_aes_256_gcm(), nullptr, key.data(), nullptr, 1) != 1) broken();
}

void Aead::seal(Bytes& frame, const FrameHead& head) {
  const size_t clear_bytes =
      head.protection == Protection::kEncrypted ? kHeadBytes : frame.size() - kTagBytes;  // authenticated only
  const size_t body_bytes = frame.size() - kTagBytes - clear_bytes;
  uint8_t* const body = frame.data() + clear_bytes;
  EVP_CIPHER_CTX* context = context_.get();
  int done = 0;
  if (EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, nonce_of(head.counter).data(), 1) != 1 ||
      EVP_CipherUpdate(context, nullptr, &done, frame.data(), length(clear_bytes)) != 1 ||
      (body_bytes > 0 && EVP_CipherUpdate(context, body, &done, body, length(body_bytes)) != 1) ||
      EVP_CipherFinal_ex(context, body, &done) != 1 ||
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, length(kTagBytes), frame.data() + frame.size() - kTagBytes) !=
          1) {
    broken();
  }
}

std::optional<Bytes> Aead::open(const FrameView& frame) {
  const bool encrypted = frame.head.protection == Protection::kEncrypted;
  Bytes body(frame.body.begin(), frame.body.end());
  std::array<uint8_t, kTagBytes> tag{};
  std::copy(frame.tag.begin(), frame.tag.end(), tag.begin());
  EVP_CIPHER_CTX* context = context_.get();
  int done = 0;
  std::array<uint8_t, 16> rest;  // GCM leaves nothing for the end
  const bool authentic =
      EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, nonce_of(frame.head.counter).data(), 0) == 1 &&
      EVP_CipherUpdate(context, nullptr, &done, frame.head_bytes.data(), length(frame.head_bytes.size())) == 1 &&
      (body.empty() ||
       EVP_CipherUpdate(context, encrypted ? body.data() : nullptr, &done, body.data(), length(body.size())) == 1) &&
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, length(kTagBytes), tag.data()) == 1 &&
      EVP_CipherFinal_ex(context, rest.data(), &done) == 1;
  if (!authentic) return std::nullopt;
  return body;
}

}  // namespace nsrp::wire
