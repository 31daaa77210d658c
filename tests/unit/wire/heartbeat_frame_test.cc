// SPDX-License-Identifier: Apache-2.0
#include "wire/heartbeat_frame.h"

#include <doctest/doctest.h>

#include <stdexcept>

using namespace nsrp;
using namespace nsrp::wire;
using core::VsdState;

namespace {

constexpr ClusterId kCluster{3};
constexpr UnitId kOwnUnit{0x0200000000a1};

HeartbeatFrame example(size_t vsds = 2) {
  HeartbeatFrame frame;
  frame.source = *MacAddress::parse("02:00:00:00:00:b1");
  frame.cluster = kCluster;
  frame.link = core::LinkIndex{1};
  frame.link_local = *IpAddress::parse("fe80::b1");
  frame.config_checksum = 0x1122334455667788;
  frame.heartbeat = {.unit = UnitId{0x0200000000b1},
                     .boot_epoch = 0xfeedfacecafebeef,
                     .sequence = 42,
                     .hb_interval = milliseconds(200),
                     .hb_threshold = 5,
                     .leaving = true,
                     .rto_enabled = true,
                     .rto_peer = kOwnUnit};
  for (size_t i = 0; i < vsds; ++i) {
    frame.heartbeat.vsds.push_back({.vsd = VsdId{static_cast<uint8_t>(i)},
                                    .state = static_cast<VsdState>(1 + i % 6),
                                    .priority = static_cast<uint8_t>(1 + i),
                                    .wants_master = i % 2 == 0,
                                    .in_sync = i % 3 == 0,
                                    .term = 7 + i,
                                    .handed_to = UnitId{i}});
  }
  return frame;
}

Drop drop_of(const std::vector<uint8_t>& bytes) {
  const auto decoded = decode(bytes, kCluster, kOwnUnit);
  REQUIRE_FALSE(decoded.has_value());
  return decoded.error();
}

std::vector<uint8_t> with(std::vector<uint8_t> bytes, size_t offset, uint8_t value) {
  bytes.at(offset) = value;
  return bytes;
}

}  // namespace

TEST_CASE("what is encoded decodes to the same, with no VSD group, some, and all 64") {
  for (const size_t vsds : {0u, 1u, 2u, 64u}) {
    const HeartbeatFrame frame = example(vsds);
    const auto decoded = decode(encode(frame), kCluster, kOwnUnit);
    REQUIRE(decoded.has_value());
    CHECK(*decoded == frame);
  }
}

TEST_CASE("a member without a link-local address says ::") {
  HeartbeatFrame frame = example();
  frame.link_local = {};
  const auto decoded = decode(encode(frame), kCluster, kOwnUnit);
  REQUIRE(decoded.has_value());
  CHECK(decoded->link_local == *IpAddress::parse("::"));
}

TEST_CASE("sizes and offsets are those of docs/protocol.md") {
  CHECK(encode(example(0)).size() == 86);
  CHECK(encode(example(1)).size() == 106);
  CHECK(encode(example(64)).size() == 1366);
  const std::vector<uint8_t> bytes = encode(example());
  const std::vector<uint8_t> start(bytes.begin(), bytes.begin() + 30);
  CHECK(start == std::vector<uint8_t>{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 0xb1, 0x88, 0xb5, 0x4e,
                                      0x53, 0x52, 0x50, 1,    1,    3,    1, 0, 0, 2, 0, 0,    0,    0,    0xb1});
  CHECK(bytes[45] == 42);
  CHECK(bytes[46] == 0x11);
  CHECK(bytes[54] == 0xfe);
  CHECK(bytes[77] == 0xa1);
  CHECK(bytes[79] == 200);
  CHECK(bytes[80] == 5);
  CHECK(bytes[81] == 3);
  CHECK(bytes[83] == 72 + 2 * 20);
  CHECK(bytes[84] == 2);
  CHECK(bytes[86] == 0);
  CHECK(bytes[87] == 1);
  CHECK(bytes[88] == 1);
  CHECK(bytes[89] == 3);
}

TEST_CASE("a frame cut short anywhere is malformed") {
  const std::vector<uint8_t> bytes = encode(example());
  for (size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    CHECK(drop_of({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}) == Drop::kMalformed);
  }
}

TEST_CASE("anything after the last entry is malformed, zeros too") {
  std::vector<uint8_t> bytes = encode(example());
  bytes.push_back(0);
  CHECK(drop_of(bytes) == Drop::kMalformed);
}

TEST_CASE("foreign frames are told apart") {
  const std::vector<uint8_t> bytes = encode(example());
  CHECK(drop_of(with(bytes, 13, 0xb6)) == Drop::kMalformed);
  CHECK(drop_of(with(bytes, 14, 'X')) == Drop::kMalformed);
  CHECK(drop_of(with(bytes, 18, 2)) == Drop::kWrongVersion);
  CHECK(drop_of(with(bytes, 19, 9)) == Drop::kMalformed);
  CHECK(drop_of(with(bytes, 20, 4)) == Drop::kWrongCluster);
  CHECK(decode(bytes, kCluster, UnitId{0x0200000000b1}).error() == Drop::kOwnEcho);
}

TEST_CASE("another version is not judged by what follows it") {
  std::vector<uint8_t> bytes = with(encode(example()), 18, 2);
  bytes.resize(19);
  CHECK(drop_of(bytes) == Drop::kWrongVersion);
}

TEST_CASE("values that no member says are malformed") {
  const std::vector<uint8_t> bytes = encode(example());
  struct Case {
    const char* what;
    size_t offset;
    uint8_t value;
  };
  for (const Case& c : {Case{"unit id beyond 48 bits", 22, 1},
                        {"address that is not link-local", 54, 0x20},
                        {"RTO peer beyond 48 bits", 70, 1},
                        {"interval 0", 79, 0},
                        {"threshold 0", 80, 0},
                        {"unknown flag", 81, 4},
                        {"length", 83, 1},
                        {"count", 84, 1},
                        {"count", 84, 65},
                        {"reserved", 85, 1},
                        {"VSD 64", 86, 64},
                        {"state 0", 87, 0},
                        {"state 7", 87, 7},
                        {"priority 0", 88, 0},
                        {"priority 255", 88, 255},
                        {"unknown VSD flag", 89, 4},
                        {"handed to beyond 48 bits", 98, 1},
                        {"VSD listed twice", 106, 0}}) {
    CAPTURE(c.what);
    CHECK(drop_of(with(bytes, c.offset, c.value)) == Drop::kMalformed);
  }
}

TEST_CASE("a frame that would lie about itself is not encoded") {
  HeartbeatFrame frame = example(64);
  frame.heartbeat.vsds.push_back(frame.heartbeat.vsds[0]);
  CHECK_THROWS_AS(encode(frame), std::invalid_argument);
  frame = example();
  frame.heartbeat.hb_interval = milliseconds(70000);
  CHECK_THROWS_AS(encode(frame), std::invalid_argument);
  frame.heartbeat.hb_interval = milliseconds(0);
  CHECK_THROWS_AS(encode(frame), std::invalid_argument);
}

TEST_CASE("each reason to drop has a name") {
  for (uint8_t i = 0; i < static_cast<uint8_t>(Drop::kCount); ++i) {
    CHECK(to_string(static_cast<Drop>(i)) != "unknown");
  }
}
