// SPDX-License-Identifier: Apache-2.0
#include "wire/frame_guard.h"

#include <doctest/doctest.h>

#include <set>

#include "two_guards.h"

using namespace nsrp;
using namespace nsrp::test;
using namespace nsrp::wire;

namespace {

constexpr UnitId kA{0x0200000000a1}, kB{0x0200000000b1}, kC{0x0200000000c1};
const KeyRing::Key kNone = nullptr;
const KeyRing::Key kSealed = make_key(1, Protection::kEncrypted);
const KeyRing::Key kSigned = make_key(1, Protection::kAuthenticated);

struct Acquainted {
  Box a{kA, 1, kSealed}, b{kB, 2, kSealed};
  Acquainted() { REQUIRE(introduce(a, b)); }
};

}  // namespace

TEST_CASE("what one seals the other opens, with each protection") {
  for (const KeyRing::Key& key : {kNone, kSigned, kSealed}) {
    Box a(kA, 1, key), b(kB, 2, key);
    if (key) REQUIRE(introduce(a, b));
    const Bytes frame = b.says();
    const Verdict verdict = a.hears(frame);
    REQUIRE(verdict.frame);
    CHECK(verdict.frame->head.unit == kB);
    CHECK(verdict.frame->head.epoch == 2);
    const auto body = decode_heartbeat(verdict.frame->head, verdict.frame->body);
    REQUIRE(body);
    CHECK(body->heartbeat.sequence == 42);
  }
}

TEST_CASE("an authenticated body can be read on the link, an encrypted one cannot") {
  const auto readable = [](const KeyRing::Key& key) {
    Box b(kB, 2, key);
    const Bytes frame = b.says(), plain = encode(example_body(2, 1));
    return std::search(frame.begin(), frame.end(), plain.begin(), plain.begin() + 16) != frame.end();
  };
  CHECK(readable(kNone));
  CHECK(readable(kSigned));
  CHECK_FALSE(readable(kSealed));
}

TEST_CASE("a frame changed in any bit is not let in") {
  for (const KeyRing::Key& key : {kSigned, kSealed}) {
    Box a(kA, 1, key), b(kB, 2, key);
    REQUIRE(introduce(a, b));
    const Bytes frame = b.says();
    for (size_t i = 0; i < frame.size(); ++i) {
      for (const uint8_t bit : {uint8_t{0x01}, uint8_t{0x80}}) {
        CAPTURE(i);
        const Verdict verdict = a.hears(with(frame, i, static_cast<uint8_t>(frame[i] ^ bit)));
        CHECK_FALSE(verdict.frame);
        CHECK_FALSE(verdict.reply);
        CHECK(verdict.drop);
      }
    }
    CHECK(a.hears(frame).frame);  // and none of them used up the counter
  }
}

TEST_CASE("each way to be foreign is told apart") {
  Box a(kA, 1, kSealed);
  Box open(kA, 1, kNone);
  CHECK(a.drops(Box(kB, 2, kSealed, ClusterId{4}).says()) == Drop::kWrongCluster);
  CHECK(a.drops(Box(kB, 2, kNone).says()) == Drop::kUnprotected);
  CHECK(open.drops(Box(kB, 2, kSealed).says()) == Drop::kProtected);
  CHECK(a.drops(Box(kB, 2, make_key(9)).says()) == Drop::kUnknownKey);
  CHECK(a.drops(Box(kA, 7, kSealed).says()) == Drop::kDuplicateUnit);
  CHECK(open.drops(Box(kA, 7, kNone).says()) == Drop::kDuplicateUnit);
  CHECK(a.drops(a.says()) == Drop::kOwnEcho);
  CHECK(open.drops(open.says()) == Drop::kOwnEcho);
  CHECK(a.drops(with(a.says(), 18, 0xff)) == Drop::kWrongVersion);
  CHECK(a.drops(Bytes(60)) == Drop::kMalformed);
}

TEST_CASE("nobody can say by a forged frame that another device has our unit id") {
  Box a(kA, 1, kSealed);
  const Bytes frame = Box(kA, 7, kSealed).says();
  CHECK(a.drops(with(frame, frame.size() - 1, static_cast<uint8_t>(frame.back() ^ 1))) == Drop::kBadTag);
}

TEST_CASE("a frame is let in once") {
  Acquainted pair;
  const Bytes frame = pair.b.says();
  CHECK(pair.a.hears(frame).frame);
  for (int i = 0; i < 3; ++i) CHECK(pair.a.drops(frame) == Drop::kReplay);
}

TEST_CASE("frames that overtake each other are all let in, within the window") {
  Acquainted pair;
  std::vector<Bytes> frames;
  for (int i = 0; i < 1030; ++i) frames.push_back(pair.b.says());
  CHECK(pair.a.hears(frames[1029]).frame);
  CHECK(pair.a.hears(frames[6]).frame);
  CHECK(pair.a.hears(frames[500]).frame);
  CHECK(pair.a.drops(frames[5]) == Drop::kReplay);
  CHECK(pair.a.drops(frames[500]) == Drop::kReplay);
}

TEST_CASE("a restarted member is let in after it has answered a challenge, and its former frames never again") {
  Acquainted pair;
  const Bytes former = pair.b.says();
  Box again(kB, 3, kSealed);
  CHECK(pair.a.drops(again.says()) == Drop::kStaleEpoch);
  CHECK(pair.a.hears(pair.b.says()).frame);  // until then the former run counts
  pair.a.now += seconds(2);
  REQUIRE(introduce(pair.a, again));
  pair.a.now += seconds(2);
  const Verdict verdict = pair.a.hears(former);
  CHECK(verdict.drop == Drop::kStaleEpoch);
  REQUIRE(verdict.reply);
  CHECK(again.drops(pair.a.seal(kHa1, *verdict.reply)) == Drop::kReplay);  // asks for a run that is over
  CHECK(pair.a.hears(again.says()).frame);
}

TEST_CASE("a frame of one link is not let in on another") {
  Acquainted pair;
  const Bytes frame = pair.b.says(kHa1);
  const Verdict verdict = pair.a.hears(frame, kHa2);
  CHECK(verdict.drop == Drop::kWrongLink);
  REQUIRE(verdict.reply);
  // The challenge goes out on the second link; there the peer answers as its second link.
  const Verdict asked = pair.b.hears(pair.a.seal(kHa2, *verdict.reply), kHa2);
  REQUIRE(asked.reply);
  CHECK(pair.a.drops(pair.b.seal(kHa2, *asked.reply), kHa2) == Drop::kReplay);
  CHECK(pair.a.drops(frame, kHa2) == Drop::kWrongLink);
  CHECK(pair.a.hears(frame, kHa1).frame);
}

TEST_CASE("each pair of links is proven by itself") {
  Acquainted pair;
  REQUIRE(introduce(pair.a, pair.b, kHa2, kHa2));
  CHECK(pair.a.hears(pair.b.says(kHa1), kHa1).frame);
  REQUIRE(introduce(pair.a, pair.b, kHa1, kHa2));  // cables that lead into one switch
  CHECK(pair.a.hears(pair.b.says(kHa2), kHa2).frame);
}

TEST_CASE("an answer is worth something once, in time, to who asked, on the link that was asked about") {
  Box a(kA, 1, kSealed), b(kB, 2, kSealed), c(kC, 3, kSealed);
  const auto answer = [&] {
    const Verdict stale = a.hears(b.says());
    REQUIRE(stale.reply);
    const Verdict asked = b.hears(a.seal(kHa1, *stale.reply));
    REQUIRE(asked.reply);
    return b.seal(kHa1, *asked.reply);
  };
  const Bytes late = answer();
  CHECK(c.drops(late) == Drop::kReplay);
  CHECK(a.drops(late, kHa2) == Drop::kReplay);
  a.now += Challenges::kValid;
  b.now += Challenges::kValid;
  CHECK(a.drops(late) == Drop::kReplay);
  const Bytes right = answer();
  CHECK(a.drops(late) == Drop::kReplay);
  CHECK_FALSE(a.drops(right));
  CHECK(a.drops(right) == Drop::kReplay);
}

TEST_CASE("frames sent before the answer are not let in after it") {
  Box a(kA, 1, kSealed), b(kB, 2, kSealed);
  const Bytes before = b.says();
  REQUIRE(introduce(a, b));
  CHECK(a.drops(before) == Drop::kReplay);
}

TEST_CASE("challenges of the same and answers to the same are limited in rate") {
  Box a(kA, 1, kSealed), b(kB, 2, kSealed);
  const Verdict first = a.hears(b.says());
  REQUIRE(first.reply);
  for (int i = 0; i < 100; ++i) CHECK_FALSE(a.hears(b.says()).reply);
  a.now += Challenges::kPause;
  const Verdict second = a.hears(b.says());
  REQUIRE(second.reply);
  CHECK(second.reply->body == first.reply->body);  // an answer that is on its way still counts
  CHECK(b.hears(a.seal(kHa1, *first.reply)).reply);
  CHECK(b.drops(a.seal(kHa1, *second.reply)) == Drop::kFloodLimited);
  b.now += Challenges::kPause;
  CHECK(b.hears(a.seal(kHa1, *second.reply)).reply);
}

TEST_CASE("nonces differ, and challenges to many leave room for the next") {
  Box a(kA, 1, kSealed);
  std::set<Bytes> bodies;
  for (uint64_t epoch = 100; epoch < 700; ++epoch) {
    const Verdict verdict = a.hears(Box(kB, epoch, kSealed).says());
    REQUIRE(verdict.reply);
    bodies.insert(verdict.reply->body);
  }
  CHECK(bodies.size() == 600);
  Box b(kB, 700, kSealed);
  CHECK(introduce(a, b));
}

TEST_CASE("more members than a cluster holds do not take more memory: the one not heard for longest is forgotten") {
  Box a(kA, 1, kSealed), b(kB, 2, kSealed);
  REQUIRE(introduce(a, b));
  for (uint64_t unit = 1; unit <= FrameGuard::kMostPeers; ++unit) {
    a.now += seconds(1);
    Box other(UnitId{unit}, 5, kSealed);
    REQUIRE(introduce(a, other));
  }
  CHECK(a.drops(b.says()) == Drop::kStaleEpoch);
}

TEST_CASE("without a password members are heard at once") {
  Box a(kA, 1, kNone), b(kB, 2, kNone);
  CHECK(a.hears(b.says()).frame);
  CHECK(a.hears(b.says(kHa1), kHa2).frame);
  CHECK(a.hears(Box(kB, 9, kNone).says()).frame);
}

TEST_CASE("passwords are changed on one member after the other, and every heartbeat is heard") {
  const auto other = make_key(2, Protection::kAuthenticated);
  struct Change {
    KeyRing::Key from, to;
  };
  for (const Change& change : {Change{kSealed, other}, Change{kNone, kSealed}, Change{kSealed, kNone},
                               Change{kSigned, make_key(1, Protection::kEncrypted)}}) {
    if (change.from && change.to && change.from->id() == change.to->id()) continue;
    Box a(kA, 1, change.from), b(kB, 2, change.from);
    const auto tell = [&](Box& from, Box& to) {
      const uint32_t used = KeyRing::id_of(from.guard.keys().sending());
      const uint32_t newest = KeyRing::id_of(from.guard.keys().newest());
      const Verdict verdict = to.hears(from.says());
      if (verdict.drop == Drop::kStaleEpoch) {  // protected for the first time
        to.now += Challenges::kPause;
        REQUIRE(introduce(to, from));
      }
      REQUIRE((verdict.frame || verdict.drop == Drop::kStaleEpoch));
      to.guard.keys().on_heartbeat(to.now, from.unit, used, newest, seconds(3));
      a.now += milliseconds(200);
      b.now = a.now;
    };
    const auto talk = [&] {
      for (int i = 0; i < 5; ++i) {
        tell(a, b);
        tell(b, a);
      }
    };
    talk();
    a.guard.keys().set(a.now, change.to);
    talk();
    b.guard.keys().set(b.now, change.to);
    talk();
    for (const Box* box : {&a, &b}) {
      CHECK_FALSE(box->guard.keys().changing());
      CHECK(box->guard.keys().sending() == change.to);
    }
    CHECK(b.drops(Box(kA, 1, change.from).says()).has_value());
  }
}

TEST_CASE("a counter is never used twice under one epoch, whatever is done to keys and links") {
  Box a(kA, 1, kSealed);
  std::set<std::pair<uint8_t, uint64_t>> used;
  const auto say = [&](core::LinkIndex link) {
    const Bytes frame = a.says(link);
    const auto parsed = parse_frame(frame);
    REQUIRE(parsed);
    CHECK(used.emplace(parsed->head.link.value, parsed->head.counter).second);
  };
  for (const KeyRing::Key& key : {kSealed, kNone, make_key(5), kSealed}) {
    a.guard.keys().set(a.now, key);
    for (int i = 0; i < 3; ++i) say(kHa1);
    say(kHa2);
    a.guard.join(kA, ClusterId{4});
    a.guard.join(kA, kCluster);
    say(kHa1);
  }
}

TEST_CASE("garbage of any length is dropped and answered by nothing") {
  Acquainted pair;
  uint64_t state = 1;
  const Bytes real = pair.b.says();
  for (int i = 0; i < 20000; ++i) {
    Bytes bytes(static_cast<size_t>(i) % 1600);
    for (uint8_t& each : bytes) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      each = static_cast<uint8_t>(state >> 56);
    }
    // Half of them begin like a real one.
    if (i % 2 == 0) std::copy_n(real.begin(), std::min(bytes.size(), kHeadBytes), bytes.begin());
    const Verdict verdict = pair.a.hears(bytes);
    REQUIRE(verdict.drop);
    REQUIRE_FALSE(verdict.frame);
    REQUIRE_FALSE(verdict.reply);
  }
  CHECK(pair.a.hears(real).frame);
}
