// SPDX-License-Identifier: Apache-2.0
#include "wire/bodies.h"

#include <doctest/doctest.h>

#include <stdexcept>

#include "example.h"

using namespace nsrp;
using namespace nsrp::test;
using namespace nsrp::wire;

namespace {

std::optional<HeartbeatBody> decoded(const Bytes& bytes) {
  return decode_heartbeat(example_head(), bytes);
}

}  // namespace

TEST_CASE("a heartbeat decodes to what was encoded, with no VSD group and nobody heard, some, and all there can be") {
  for (const size_t vsds : {0u, 1u, 2u, 64u}) {
    for (const size_t hearings : {0u, 1u, 7u}) {
      const HeartbeatBody body = example_body(vsds, hearings);
      CHECK(decoded(encode(body)) == body);
    }
  }
}

TEST_CASE("the largest heartbeat fits into an encrypted frame") {
  FrameHead head = example_head();
  head.protection = Protection::kEncrypted;
  head.key_id = 1;
  CHECK(encode_frame(head, encode(example_body(64, 7))).size() == 1431);
  CHECK(1431 <= kMaxFrameBytes);
}

TEST_CASE("a member without a link-local address says ::") {
  HeartbeatBody body = example_body();
  body.link_local = {};
  REQUIRE(decoded(encode(body)));
  CHECK(decoded(encode(body))->link_local == *IpAddress::parse("::"));
}

TEST_CASE("times beyond what a frame can say are said as the longest it can") {
  HeartbeatBody body = example_body();
  body.heartbeat.heard[0].silence = std::chrono::hours(5);
  REQUIRE(decoded(encode(body)));
  CHECK(decoded(encode(body))->heartbeat.heard[0].silence == std::chrono::microseconds(0xffffffff));
}

TEST_CASE("of the successor and the master that is followed, the successor is told") {
  HeartbeatBody body = example_body(1);
  body.heartbeat.vsds[0].handed_to = UnitId{5};
  body.heartbeat.vsds[0].follows = UnitId{6};
  REQUIRE(decoded(encode(body)));
  CHECK(decoded(encode(body))->heartbeat.vsds[0].handed_to == UnitId{5});
  CHECK(decoded(encode(body))->heartbeat.vsds[0].follows == UnitId{0});
}

TEST_CASE("the member that a master is about to hand over to, and its answer, are said in the same place") {
  HeartbeatBody body = example_body(2);
  body.heartbeat.vsds[0].follows = {};
  body.heartbeat.vsds[0].handed_to = {};
  body.heartbeat.vsds[0].handing_to = UnitId{5};
  body.heartbeat.vsds[1].handed_to = {};
  body.heartbeat.vsds[1].follows = UnitId{6};
  body.heartbeat.vsds[1].ready = true;
  CHECK(decoded(encode(body)) == body);
  Bytes both = encode(body);
  both[50 + 3] |= 4;  // and is followed
  CHECK_FALSE(decoded(both));
}

TEST_CASE("the heartbeat's offsets are those of docs/protocol.md") {
  const Bytes bytes = encode(example_body());
  CHECK(bytes.size() == 50 + 2 * 18 + 23);
  CHECK(bytes[7] == 42);
  CHECK(bytes[8] == 0x11);
  CHECK(bytes[16] == 0xfe);
  CHECK(bytes[37] == 0xa1);
  CHECK(bytes[39] == 200);
  CHECK(bytes[40] == 5);
  CHECK(bytes[41] == 3);
  CHECK(bytes[42] == 0xa1);
  CHECK(bytes[46] == 2);
  CHECK(bytes[47] == 1);
  CHECK(bytes[48] == 1);
  CHECK(bytes[49] == 2);
  const Bytes second_vsd(bytes.begin() + 68, bytes.begin() + 86);
  CHECK(second_vsd == Bytes{1, 2, 2, 4, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 1});
  const Bytes hearing(bytes.begin() + 86, bytes.end());
  CHECK(hearing == Bytes{2, 0, 0, 0, 0, 0xc0, 0xca, 0xfe, 0, 0, 0, 0, 3, 0xe8, 0, 1, 0xe2, 0x40, 0, 0, 0, 0, 0});
}

TEST_CASE("a heartbeat cut short anywhere, or with anything behind its end, is malformed") {
  Bytes bytes = encode(example_body());
  for (size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(decoded({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}));
  }
  bytes.push_back(0);
  CHECK_FALSE(decoded(bytes));
}

TEST_CASE("values that no member says are malformed") {
  const Bytes bytes = encode(example_body(2, 2));
  struct Case {
    const char* what;
    size_t offset;
    uint8_t value;
  };
  for (const Case& c : {Case{"address that is not link-local", 16, 0x20},
                        {"interval 0", 39, 0},
                        {"threshold 0", 40, 0},
                        {"unknown flag", 41, 4},
                        {"65 VSD groups", 46, 65},
                        {"8 hearings", 47, 8},
                        {"VSD 64", 50, 64},
                        {"state 0", 51, 0},
                        {"state 7", 51, 7},
                        {"priority 0", 52, 0},
                        {"priority 255", 52, 255},
                        {"unknown VSD flag", 53, 8},
                        {"nobody is followed", 85, 0},
                        {"VSD listed twice", 68, 0},
                        {"unknown link of a hearing", 108, 0x20},
                        {"member listed twice", 114, 0xc0}}) {
    CAPTURE(c.what);
    CHECK_FALSE(decoded(with(bytes, c.offset, c.value)));
  }
}

TEST_CASE("a heartbeat that would lie about itself is not encoded") {
  CHECK_THROWS_AS(encode(example_body(65)), std::invalid_argument);
  CHECK_THROWS_AS(encode(example_body(0, 8)), std::invalid_argument);
  HeartbeatBody body = example_body();
  body.heartbeat.hb_interval = milliseconds(70000);
  CHECK_THROWS_AS(encode(body), std::invalid_argument);
  body.heartbeat.hb_interval = milliseconds(0);
  CHECK_THROWS_AS(encode(body), std::invalid_argument);
}

TEST_CASE("probes and challenges decode to what was encoded, and to nothing when their length is wrong") {
  const ProbeBody probe{0x1122334455667788, kOwnUnit};
  const ChallengeBody challenge{kPeerUnit, kEpoch, {1, 2, 3}};
  const ChallengeAnswerBody answer{kOwnUnit, {4, 5, 6}};
  CHECK(decode_probe(encode(probe)) == probe);
  CHECK(decode_challenge(encode(challenge)) == challenge);
  CHECK(decode_challenge_answer(encode(answer)) == answer);
  for (size_t size = 0; size < 40; ++size) {
    const Bytes bytes(size);
    CAPTURE(size);
    CHECK(decode_probe(bytes).has_value() == (size == 14));
    CHECK(decode_challenge(bytes).has_value() == (size == 30));
    CHECK(decode_challenge_answer(bytes).has_value() == (size == 22));
  }
}
