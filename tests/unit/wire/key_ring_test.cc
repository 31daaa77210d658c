// SPDX-License-Identifier: Apache-2.0
#include "wire/key_ring.h"

#include <doctest/doctest.h>

#include <cstring>

using namespace nsrp;
using namespace nsrp::wire;

namespace {

KeyRing::Key key(int number) {
  SecretKey master;
  std::memset(master.data(), number, SecretKey::kBytes);
  return std::make_shared<const Keys>(master, Protection::kEncrypted);
}

const KeyRing::Key kOld = key(1), kNew = key(2), kThird = key(3);
constexpr UnitId kB{0xb}, kC{0xc};
constexpr seconds kPatience{1};

Instant at(int ms) {
  return Instant(milliseconds(ms));
}

struct Ring : KeyRing {
  void hears(Instant now, UnitId unit, const Key& used, const Key& newest) {
    on_heartbeat(now, unit, id_of(used), id_of(newest), kPatience);
  }
};

}  // namespace

TEST_CASE("the first key is in use at once, and only it") {
  for (const KeyRing::Key& first : {KeyRing::Key(), kOld}) {
    Ring ring;
    ring.set(at(0), first);
    CHECK(ring.sending() == first);
    CHECK_FALSE(ring.changing());
    CHECK(ring.find(KeyRing::id_of(kNew)) == nullptr);
  }
}

TEST_CASE(
    "a new key waits until every living peer holds it, and the old one until every living peer sends with the new") {
  for (const KeyRing::Key& old : {KeyRing::Key(), kOld}) {
    for (const KeyRing::Key& fresh : {KeyRing::Key(), kNew}) {
      if (old == fresh) continue;
      Ring ring;
      ring.set(at(0), old);
      ring.hears(at(1), kB, old, old);
      ring.hears(at(1), kC, old, old);
      ring.set(at(2), fresh);
      CHECK(ring.sending() == old);
      CHECK(ring.newest() == fresh);
      CHECK(ring.waiting_for(at(2)) == std::vector{kB, kC});
      ring.hears(at(3), kB, old, fresh);
      CHECK(ring.sending() == old);
      ring.hears(at(4), kC, old, fresh);
      CHECK(ring.sending() == fresh);
      CHECK(ring.find(KeyRing::id_of(old)) != nullptr);
      ring.hears(at(5), kB, fresh, fresh);
      CHECK(ring.find(KeyRing::id_of(old)) != nullptr);
      CHECK(ring.waiting_for(at(5)) == std::vector{kC});
      ring.hears(at(6), kC, fresh, fresh);
      CHECK(ring.find(KeyRing::id_of(old)) == nullptr);
      CHECK_FALSE(ring.changing());
    }
  }
}

TEST_CASE("who sends with the old key is still heard by those who have switched") {
  Ring a, b;
  for (Ring* ring : {&a, &b}) ring->set(at(0), kOld);
  a.hears(at(1), kB, kOld, kOld);
  b.hears(at(1), kC, kOld, kOld);
  a.set(at(2), kNew);
  b.set(at(3), kNew);
  // Each hears the other's announcement at another time; in every order each finds the key it is sent.
  a.hears(at(4), kB, b.sending(), b.newest());
  CHECK(a.sending() == kNew);
  CHECK(b.find(KeyRing::id_of(a.sending())) != nullptr);
  CHECK(a.find(KeyRing::id_of(b.sending())) != nullptr);
  b.hears(at(5), kC, a.sending(), a.newest());
  CHECK_FALSE(b.changing());
  CHECK(a.find(KeyRing::id_of(b.sending())) != nullptr);
}

TEST_CASE("alone, the new key is in use at once") {
  Ring ring;
  ring.set(at(0), kOld);
  ring.set(at(1), kNew);
  CHECK(ring.sending() == kNew);
  CHECK_FALSE(ring.changing());
}

TEST_CASE("a peer that has died is not waited for") {
  Ring ring;
  ring.set(at(0), kOld);
  ring.hears(at(0), kB, kOld, kOld);
  ring.set(at(10), kNew);
  ring.on_time(at(999));
  CHECK(ring.sending() == kOld);
  ring.on_time(at(1000));
  CHECK(ring.sending() == kNew);
  CHECK_FALSE(ring.changing());
}

TEST_CASE("a change on top of a change, and back again") {
  Ring ring;
  ring.set(at(0), kOld);
  ring.hears(at(1), kB, kOld, kOld);
  ring.set(at(2), kNew);
  ring.set(at(3), kThird);
  CHECK(ring.sending() == kOld);
  ring.hears(at(4), kB, kOld, kNew);  // it has made the first change only: it holds that key
  CHECK(ring.sending() == kNew);
  ring.set(at(5), kOld);
  CHECK(ring.sending() == kNew);
  CHECK(ring.newest() == kOld);
  ring.hears(at(6), kB, kNew, kOld);
  ring.hears(at(7), kB, kOld, kOld);
  CHECK(ring.sending() == kOld);
  CHECK_FALSE(ring.changing());
  ring.set(at(8), kOld);
  CHECK_FALSE(ring.changing());
}

TEST_CASE("taking a change back before anybody followed leaves things as they were") {
  Ring ring;
  ring.set(at(0), kOld);
  ring.hears(at(1), kB, kOld, kOld);
  ring.set(at(2), kNew);
  ring.set(at(3), kOld);
  CHECK(ring.sending() == kOld);
  CHECK(ring.newest() == kOld);
  ring.hears(at(4), kB, kOld, kOld);
  CHECK_FALSE(ring.changing());
}

TEST_CASE("keys and peers are bounded") {
  Ring ring;
  ring.set(at(0), kOld);
  ring.hears(at(0), kB, kOld, kOld);
  for (int number = 10; number < 40; ++number) ring.set(at(1), key(number));
  CHECK(ring.sending() == kOld);
  int held = 0;
  for (int number = 10; number < 40; ++number) held += ring.find(key(number)->id()) != nullptr;
  CHECK(held == KeyRing::kMost - 1);
  for (uint64_t unit = 1; unit < 1000; ++unit) ring.hears(at(2), UnitId{unit}, kOld, kOld);
  CHECK(ring.waiting_for(at(2)).size() == KeyRing::kMostPeers);
}
