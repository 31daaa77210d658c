// SPDX-License-Identifier: Apache-2.0
#include "wire/frame.h"

#include <doctest/doctest.h>

#include <set>
#include <stdexcept>

#include "example.h"

using namespace nsrp;
using namespace nsrp::test;
using namespace nsrp::wire;

namespace {

const Bytes kBody(20, 0xbb);

Drop drop_of(const Bytes& bytes) {
  const auto parsed = parse_frame(bytes);
  REQUIRE_FALSE(parsed.has_value());
  return parsed.error();
}

}  // namespace

TEST_CASE("a frame parses to what it was made of, of each type and with each protection") {
  for (uint8_t type = 1; type <= 5; ++type) {
    for (const Protection protection : {Protection::kNone, Protection::kAuthenticated, Protection::kEncrypted}) {
      FrameHead head = example_head();
      head.type = static_cast<FrameType>(type);
      head.protection = protection;
      head.key_id = protection == Protection::kNone ? 0 : 0x01020304;
      const Bytes bytes = encode_frame(head, kBody);
      const auto parsed = parse_frame(bytes);
      REQUIRE(parsed.has_value());
      CHECK(parsed->head == head);
      CHECK(Bytes(parsed->body.begin(), parsed->body.end()) == kBody);
      CHECK(parsed->head_bytes.size() == kHeadBytes);
      CHECK(parsed->tag.size() == (protection == Protection::kNone ? 0 : kTagBytes));
    }
  }
}

TEST_CASE("the head's offsets are those of docs/protocol.md") {
  FrameHead head = example_head();
  head.protection = Protection::kEncrypted;
  head.key_id = 0xa1a2a3a4;
  const Bytes bytes = encode_frame(head, kBody);
  CHECK(bytes.size() == 52 + 20 + 16);
  const Bytes expected = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,    0,    0,    0,    0, 0xb1, 0x88,
                          0xb5, 0x4e, 0x53, 0x52, 0x50, 3,    1,    3,    1,    2,    0, 0,    0,
                          0,    0xb1, 0xfe, 0xed, 0xfa, 0xce, 0xca, 0xfe, 0xbe, 0xef, 0, 0,    0,
                          0,    0,    0,    0,    77,   0xa1, 0xa2, 0xa3, 0xa4, 2,    0, 0,    20};
  CHECK(Bytes(bytes.begin(), bytes.begin() + 52) == expected);
}

TEST_CASE("a frame cut short anywhere, or with anything behind its end, is malformed") {
  for (const Protection protection : {Protection::kNone, Protection::kAuthenticated}) {
    FrameHead head = example_head();
    head.protection = protection;
    head.key_id = protection == Protection::kNone ? 0 : 1;
    Bytes bytes = encode_frame(head, kBody);
    for (size_t size = 0; size < bytes.size(); ++size) {
      CAPTURE(size);
      CHECK(drop_of({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}) == Drop::kMalformed);
    }
    bytes.push_back(0);
    CHECK(drop_of(bytes) == Drop::kMalformed);
  }
}

TEST_CASE("heads that no member sends are malformed") {
  const Bytes bytes = encode_frame(example_head(), kBody);
  struct Case {
    const char* what;
    size_t offset;
    uint8_t value;
  };
  for (const Case& c : {Case{"EtherType", 13, 0xb6}, Case{"magic", 14, 'X'}, Case{"type 0", 19, 0},
                        Case{"type 6", 19, 6}, Case{"link 5", 21, 5}, Case{"a key without protection", 47, 1},
                        Case{"protection without a key", 48, 1}, Case{"protection 3", 48, 3}, Case{"reserved", 49, 1},
                        Case{"body longer than the frame", 51, 21}, Case{"body shorter than the frame", 51, 19}}) {
    CAPTURE(c.what);
    CHECK(drop_of(with(bytes, c.offset, c.value)) == Drop::kMalformed);
  }
  FrameHead head = example_head();
  head.unit = UnitId{0};
  CHECK(drop_of(encode_frame(head, kBody)) == Drop::kMalformed);
}

TEST_CASE("another version is not judged by what follows it") {
  Bytes bytes = with(encode_frame(example_head(), kBody), 18, 0xff);
  CHECK(drop_of(bytes) == Drop::kWrongVersion);
  bytes.resize(19);
  CHECK(drop_of(bytes) == Drop::kWrongVersion);
}

TEST_CASE("a body that does not fit is not encoded") {
  CHECK_NOTHROW(encode_frame(example_head(), Bytes(kMaxBodyBytes)));
  CHECK_THROWS_AS(encode_frame(example_head(), Bytes(kMaxBodyBytes + 1)), std::invalid_argument);
}

TEST_CASE("each reason to drop has a name of its own") {
  std::set<std::string_view> names;
  for (size_t i = 0; i < kDropCauses; ++i) names.insert(to_string(static_cast<Drop>(i)));
  CHECK(names.size() == kDropCauses);
  CHECK_FALSE(names.contains("unknown"));
}
