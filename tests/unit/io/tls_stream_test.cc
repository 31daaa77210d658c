// SPDX-License-Identifier: Apache-2.0
#include "io/tls_stream.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace nsrp;
using io::TlsPsk;
using io::TlsStream;

namespace {

using Bytes = std::vector<uint8_t>;

TlsPsk psk(uint8_t key = 1, const std::string& identity = "two units") {
  TlsPsk result;
  result.identity = identity;
  result.key.fill(key);
  return result;
}

struct Ends {
  std::unique_ptr<TlsStream> client, server;
  Bytes on_the_wire;

  Ends(const TlsPsk& one, const TlsPsk& other)
      : client(*TlsStream::create(TlsStream::Side::kClient, one)),
        server(*TlsStream::create(TlsStream::Side::kServer, other)) {}

  Status move(TlsStream& from, TlsStream& to) {
    const Bytes bytes = from.take_outgoing();
    on_the_wire.insert(on_the_wire.end(), bytes.begin(), bytes.end());
    return bytes.empty() ? Status{} : to.feed(bytes);
  }
  Status shake_hands() {
    Status status = client->feed({});
    for (int i = 0; i < 4 && status; ++i) {
      status = move(*client, *server);
      if (status) status = move(*server, *client);
    }
    return status;
  }
};

Bytes all_of(TlsStream& stream) {
  Bytes all, buffer(1000);
  for (;;) {
    const Result<size_t> size = stream.read(buffer);
    REQUIRE(size.has_value());
    if (*size == 0) return all;
    all.insert(all.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*size));
  }
}

bool contains(const Bytes& all, const Bytes& part) {
  return std::search(all.begin(), all.end(), part.begin(), part.end()) != all.end();
}

}  // namespace

TEST_CASE("two who hold the key talk in both directions, and nobody can read along") {
  Ends ends(psk(), psk());
  CHECK_FALSE(ends.client->established());
  REQUIRE(ends.shake_hands());
  CHECK(ends.client->established());
  CHECK(ends.server->established());
  Bytes much(300000);
  for (size_t i = 0; i < much.size(); ++i) much[i] = static_cast<uint8_t>(i / 3);
  REQUIRE(ends.client->write(much));
  REQUIRE(ends.move(*ends.client, *ends.server));
  CHECK(all_of(*ends.server) == much);
  const Bytes words = {'p', 'r', 'i', 'v', 'a', 't', 'e', '!'};
  REQUIRE(ends.server->write(words));
  REQUIRE(ends.move(*ends.server, *ends.client));
  CHECK(all_of(*ends.client) == words);
  CHECK_FALSE(contains(ends.on_the_wire, words));
}

TEST_CASE("bytes that come one by one make the same conversation") {
  Ends ends(psk(), psk());
  REQUIRE(ends.client->feed({}));
  const auto trickle = [](TlsStream& from, TlsStream& to) {
    for (const uint8_t byte : from.take_outgoing()) REQUIRE(to.feed({&byte, 1}));
  };
  for (int i = 0; i < 3; ++i) {
    trickle(*ends.client, *ends.server);
    trickle(*ends.server, *ends.client);
  }
  REQUIRE(ends.server->established());
  REQUIRE(ends.client->write(Bytes{1, 2, 3}));
  trickle(*ends.client, *ends.server);
  CHECK(all_of(*ends.server) == Bytes{1, 2, 3});
}

TEST_CASE("who holds another key, or means another pair of units, is refused in words") {
  for (const TlsPsk& other : {psk(2), psk(1, "other units")}) {
    Ends ends(psk(), other);
    const Status status = ends.shake_hands();
    REQUIRE_FALSE(status);
    CHECK(status.error().message.find("did not prove that it knows the NSRP password") != std::string::npos);
    CHECK_FALSE(ends.server->established());
    CHECK_FALSE(ends.client->established());
  }
}

TEST_CASE("what was changed on the way is noticed") {
  Ends ends(psk(), psk());
  REQUIRE(ends.shake_hands());
  REQUIRE(ends.client->write(Bytes(100, 7)));
  Bytes bytes = ends.client->take_outgoing();
  bytes[bytes.size() / 2] ^= 1;
  Bytes buffer(1000);
  const Status fed = ends.server->feed(bytes);
  CHECK((!fed || !ends.server->read(buffer)));
}

TEST_CASE("garbage is no handshake") {
  Ends ends(psk(), psk());
  CHECK_FALSE(ends.server->feed(Bytes(2000, 0x55)));
}

TEST_CASE("the key exchange is fresh each time: the same words are other bytes") {
  Bytes first;
  for (int i = 0; i < 2; ++i) {
    Ends ends(psk(), psk());
    REQUIRE(ends.shake_hands());
    REQUIRE(ends.client->write(Bytes(100, 7)));
    const Bytes bytes = ends.client->take_outgoing();
    CHECK(bytes != first);
    first = bytes;
  }
}
