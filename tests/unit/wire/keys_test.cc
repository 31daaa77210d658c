// SPDX-License-Identifier: Apache-2.0
#include "wire/keys.h"

#include <doctest/doctest.h>

#include <cstring>
#include <set>
#include <string>
#include <type_traits>

#include "example.h"

using namespace nsrp;
using namespace nsrp::test;
using namespace nsrp::wire;

namespace {

std::shared_ptr<const Keys> keys_of(const std::string& auth, const std::string& encrypt, ClusterId cluster = kCluster) {
  auto keys = derive_keys(auth, encrypt, cluster);
  REQUIRE(keys.has_value());
  return *keys;
}

std::string bytes_of(const SecretKey& key) {
  return {reinterpret_cast<const char*>(key.data()), SecretKey::kBytes};
}

template <class T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};

}  // namespace

TEST_CASE("without a password there are no keys") {
  CHECK(keys_of("", "") == nullptr);
}

TEST_CASE("both passwords and the cluster make the key, and which password is which") {
  std::set<uint32_t> ids;
  for (const auto& keys : {keys_of("one", ""), keys_of("", "one"), keys_of("one", "two"), keys_of("two", "one"),
                           keys_of("on", "etwo"), keys_of("one", "", ClusterId{4})}) {
    ids.insert(keys->id());
    CHECK(keys->id() != 0);
  }
  CHECK(ids.size() == 6);
  CHECK(keys_of("one", "two")->id() == keys_of("one", "two")->id());
}

TEST_CASE("an encryption password encrypts, an authentication password alone authenticates") {
  CHECK(keys_of("one", "")->protection() == Protection::kAuthenticated);
  CHECK(keys_of("", "one")->protection() == Protection::kEncrypted);
  CHECK(keys_of("one", "two")->protection() == Protection::kEncrypted);
}

TEST_CASE("each sender, link, start and purpose has a key of its own, the same at all members") {
  const Keys keys(SecretKey{}, Protection::kEncrypted), same(SecretKey{}, Protection::kEncrypted);
  const core::LinkIndex first{0}, second{1};
  CHECK(bytes_of(keys.frame_key(kPeerUnit, first, 1)) == bytes_of(same.frame_key(kPeerUnit, first, 1)));
  CHECK(bytes_of(keys.channel_key(kPeerUnit, kOwnUnit)) == bytes_of(keys.channel_key(kOwnUnit, kPeerUnit)));
  const std::set<std::string> different = {
      bytes_of(keys.frame_key(kPeerUnit, first, 1)),   bytes_of(keys.frame_key(kOwnUnit, first, 1)),
      bytes_of(keys.frame_key(kPeerUnit, second, 1)),  bytes_of(keys.frame_key(kPeerUnit, first, 2)),
      bytes_of(keys.channel_key(kPeerUnit, kOwnUnit)), bytes_of(keys.channel_key(kPeerUnit, UnitId{1}))};
  CHECK(different.size() == 6);
}

TEST_CASE("the derivation is scrypt and HKDF as written down in docs/protocol.md") {
  // Computed with Python's hashlib.scrypt and hmac.
  const auto keys = keys_of("correct", "horse");
  CHECK(keys->id() == 0x337909d3);
  const std::string key = bytes_of(keys->frame_key(kPeerUnit, core::LinkIndex{1}, kEpoch));
  CHECK(key.substr(0, 4) == std::string("\x16\xce\xb4\xb8", 4));
}

TEST_CASE("a key cannot be printed, and is gone when its object is") {
  CHECK_FALSE(Printable<SecretKey>);
  CHECK_FALSE(Printable<Keys>);
  alignas(SecretKey) unsigned char place[sizeof(SecretKey)];
  auto* key = new (place) SecretKey;
  std::memset(key->data(), 0xaa, SecretKey::kBytes);
  key->~SecretKey();
  volatile unsigned char* seen = place;
  unsigned sum = 0;
  for (size_t i = 0; i < SecretKey::kBytes; ++i) sum += seen[i];
  CHECK(sum == 0);
}
