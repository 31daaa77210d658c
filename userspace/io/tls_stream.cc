// SPDX-License-Identifier: Apache-2.0
#include "io/tls_stream.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>

namespace nsrp::io {

namespace {

// RFC 8446, 5.5: a key of AES-GCM is good for 2^24.5 records.
constexpr uint64_t kRecordsPerKey = 1 << 22;
constexpr size_t kRecordBytes = 1 << 14;

std::string reason() {
  const unsigned long error = ERR_peek_last_error();
  const char* text = error == 0 ? nullptr : ERR_reason_error_string(error);
  return text == nullptr ? "it closed the connection" : text;
}

// TLS_AES_128_GCM_SHA256: the pre-shared key's hash must be that of the suite, and ours is SHA-256.
SSL_SESSION* session_of(SSL* ssl, const TlsPsk& psk) {
  constexpr uint8_t kSuite[] = {0x13, 0x01};
  const SSL_CIPHER* cipher = SSL_CIPHER_find(ssl, kSuite);
  SSL_SESSION* session = SSL_SESSION_new();
  if (cipher != nullptr && session != nullptr &&
      SSL_SESSION_set1_master_key(session, psk.key.data(), psk.key.size()) == 1 &&
      SSL_SESSION_set_cipher(session, cipher) == 1 && SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1) {
    return session;
  }
  SSL_SESSION_free(session);
  return nullptr;
}

}  // namespace

// OpenSSL's signatures.
struct TlsCallbacks {
  static const TlsPsk& psk_of(SSL* ssl) { return static_cast<const TlsStream*>(SSL_get_app_data(ssl))->psk_; }

  static int use(SSL* ssl, const EVP_MD*, const unsigned char** identity, size_t* identity_bytes,
                 SSL_SESSION** session) {
    const TlsPsk& psk = psk_of(ssl);
    *session = session_of(ssl, psk);
    *identity = reinterpret_cast<const unsigned char*>(psk.identity.data());
    *identity_bytes = psk.identity.size();
    return *session != nullptr ? 1 : 0;
  }

  static int find(SSL* ssl, const unsigned char* identity, size_t identity_bytes, SSL_SESSION** session) {
    const TlsPsk& psk = psk_of(ssl);
    const bool ours =
        psk.identity.size() == identity_bytes && std::memcmp(psk.identity.data(), identity, identity_bytes) == 0;
    *session = ours ? session_of(ssl, psk) : nullptr;
    return !ours || *session != nullptr ? 1 : 0;  // without a session the handshake finds no way to go on
  }
};

TlsPsk::~TlsPsk() {
  OPENSSL_cleanse(key.data(), key.size());
}

void TlsStream::Free::operator()(ssl_st* ssl) const {
  SSL_free(ssl);
}
void TlsStream::Free::operator()(ssl_ctx_st* context) const {
  SSL_CTX_free(context);
}

TlsStream::~TlsStream() = default;

Result<std::unique_ptr<TlsStream>> TlsStream::create(Side side, const TlsPsk& psk) {
  ERR_clear_error();
  std::unique_ptr<TlsStream> stream(new TlsStream);
  stream->psk_ = psk;
  stream->context_.reset(SSL_CTX_new(side == Side::kClient ? TLS_client_method() : TLS_server_method()));
  SSL_CTX* context = stream->context_.get();
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256") != 1 ||
      SSL_CTX_set1_groups_list(context, "X25519:P-256") != 1 || SSL_CTX_set_num_tickets(context, 0) != 1) {
    return fail("OpenSSL offers no TLS 1.3 with a pre-shared key: " + reason());
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  // No certificate is good enough for the client; the server has none to show and asks for none.
  if (side == Side::kClient) SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_psk_use_session_callback(context, &TlsCallbacks::use);
  SSL_CTX_set_psk_find_session_callback(context, &TlsCallbacks::find);
  stream->ssl_.reset(SSL_new(context));
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  if (!stream->ssl_ || in == nullptr || out == nullptr) {
    BIO_free(in);
    BIO_free(out);
    return fail("OpenSSL has no memory for a TLS connection");
  }
  SSL_set_bio(stream->ssl_.get(), in, out);
  SSL_set_app_data(stream->ssl_.get(), stream.get());
  side == Side::kClient ? SSL_set_connect_state(stream->ssl_.get()) : SSL_set_accept_state(stream->ssl_.get());
  return stream;
}

Status TlsStream::feed(std::span<const uint8_t> bytes) {
  ERR_clear_error();
  if (!bytes.empty() && BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size())) !=
                            static_cast<int>(bytes.size())) {
    return fail("OpenSSL has no memory for what the peer sends");
  }
  return established_ ? Status{} : handshake();
}

Status TlsStream::handshake() {
  const int done = SSL_do_handshake(ssl_.get());
  if (done != 1) {
    const int error = SSL_get_error(ssl_.get(), done);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return {};
    return fail("the peer did not prove that it knows the NSRP password (" + reason() + ")");
  }
  if (SSL_session_reused(ssl_.get()) != 1) return fail("the peer did not use the NSRP password");
  established_ = true;
  return {};
}

Result<size_t> TlsStream::read(std::span<uint8_t> buffer) {
  if (!established_) return size_t{0};
  ERR_clear_error();
  size_t size = 0;
  const int done = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &size);
  if (done == 1) return size;
  switch (SSL_get_error(ssl_.get(), done)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return size_t{0};
    case SSL_ERROR_ZERO_RETURN:
      return fail("the peer closed the connection");
    default:
      return fail("what the peer sent is damaged or forged (" + reason() + ")");
  }
}

Status TlsStream::write(std::span<const uint8_t> plain) {
  if (plain.empty()) return {};
  ERR_clear_error();
  records_ += plain.size() / kRecordBytes + 1;
  if (records_ >= kRecordsPerKey) {
    SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED);
    records_ = 0;
  }
  size_t size = 0;
  if (SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &size) != 1 || size != plain.size()) {
    return fail("OpenSSL does not take what is to be sent (" + reason() + ")");
  }
  return {};
}

std::vector<uint8_t> TlsStream::take_outgoing() {
  BIO* out = SSL_get_wbio(ssl_.get());
  std::vector<uint8_t> bytes(BIO_ctrl_pending(out));
  if (!bytes.empty()) BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

}  // namespace nsrp::io
