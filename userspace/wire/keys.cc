// SPDX-License-Identifier: Apache-2.0
#include "wire/keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "wire/bytes.h"

namespace nsrp::wire {

namespace {

// RFC 7914's parameters for interactive use, one step up: a guess costs 32 MiB and tens of milliseconds.
constexpr uint64_t kScryptN = 1 << 15, kScryptR = 8, kScryptP = 1;
constexpr uint64_t kScryptMaxMemory = 64 << 20;

struct FreeKdfContext {
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

void wipe(Bytes& bytes) {
  OPENSSL_cleanse(bytes.data(), bytes.size());
}

// HKDF's second step alone: what scrypt gives is uniform already (RFC 5869, 3.3).
SecretKey expand(const SecretKey& master, ByteView info) {
  static EVP_KDF* const hkdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  const std::unique_ptr<EVP_KDF_CTX, FreeKdfContext> context(EVP_KDF_CTX_new(hkdf));
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  char digest[] = "SHA256";
  // OpenSSL takes pointers to mutable memory and does not write there.
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<uint8_t*>(master.data()), SecretKey::kBytes),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, const_cast<uint8_t*>(info.data()), info.size()),
      OSSL_PARAM_construct_end()};
  SecretKey key;
  if (!context || EVP_KDF_derive(context.get(), key.data(), SecretKey::kBytes, parameters) != 1) {
    throw std::runtime_error("OpenSSL derives no key: HKDF with SHA-256 failed");
  }
  return key;
}

Writer purpose(std::string_view name) {
  Writer info(64);
  info.raw(ByteView(reinterpret_cast<const uint8_t*>(name.data()), name.size()));
  return info;
}

uint32_t id_of(const SecretKey& master) {
  const SecretKey id = expand(master, purpose("OpenNSRP key id").take());
  Reader in(ByteView(id.data(), SecretKey::kBytes));
  return std::max<uint32_t>(in.number<uint32_t>(), 1);
}

// With their lengths, so that no two pairs of passwords read the same.
Bytes joined(const std::string& auth, const std::string& encrypt) {
  Writer out(8 + auth.size() + encrypt.size());
  for (const std::string* password : {&auth, &encrypt}) {
    out.number(static_cast<uint32_t>(password->size()));
    out.raw(ByteView(reinterpret_cast<const uint8_t*>(password->data()), password->size()));
  }
  return out.take();
}

}  // namespace

SecretKey::~SecretKey() {
  OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

Keys::Keys(const SecretKey& master, Protection protection)
    : master_(master), protection_(protection), id_(id_of(master)) {}

SecretKey Keys::frame_key(UnitId sender, core::LinkIndex link, uint64_t boot_epoch) const {
  Writer info = purpose("OpenNSRP frame");
  info.number(static_cast<uint8_t>(protection_));
  info.unit(sender);
  info.number(link.value);
  info.number(boot_epoch);
  return expand(master_, info.take());
}

SecretKey Keys::channel_key(UnitId one, UnitId other) const {
  Writer info = purpose("OpenNSRP rto channel");
  info.unit(std::min(one, other));
  info.unit(std::max(one, other));
  return expand(master_, info.take());
}

Result<std::shared_ptr<const Keys>> derive_keys(const std::string& auth_password, const std::string& encrypt_password,
                                                ClusterId cluster) {
  if (auth_password.empty() && encrypt_password.empty()) return std::shared_ptr<const Keys>();
  Bytes passwords = joined(auth_password, encrypt_password);
  Writer salt = purpose("OpenNSRP");
  salt.number(cluster.value);
  const Bytes salt_bytes = salt.take();
  SecretKey master;
  const int done = EVP_PBE_scrypt(reinterpret_cast<const char*>(passwords.data()), passwords.size(), salt_bytes.data(),
                                  salt_bytes.size(), kScryptN, kScryptR, kScryptP, kScryptMaxMemory, master.data(),
                                  SecretKey::kBytes);
  wipe(passwords);
  if (done != 1) return fail("OpenSSL makes no key of the NSRP passwords: scrypt failed, perhaps for want of memory");
  return std::make_shared<const Keys>(master,
                                      encrypt_password.empty() ? Protection::kAuthenticated : Protection::kEncrypted);
}

}  // namespace nsrp::wire
