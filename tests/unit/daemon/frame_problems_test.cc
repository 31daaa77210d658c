// SPDX-License-Identifier: Apache-2.0
#include "daemon/frame_problems.h"

#include <doctest/doctest.h>

#include "wire/bodies.h"

using namespace nsrp;
using daemon::FrameProblem;
using daemon::FrameProblems;
using wire::Drop;

namespace {

const FrameProblems::Ours kOurs{ClusterId{1}, "ha1"};

wire::Bytes frame_of(uint64_t unit, uint8_t cluster = 1) {
  wire::FrameHead head;
  head.source = *MacAddress::parse("02:00:00:00:00:b1");
  head.type = wire::FrameType::kHeartbeat;
  head.cluster = ClusterId{cluster};
  head.unit = UnitId{unit};
  return wire::encode_frame(head, wire::encode(wire::HeartbeatBody{}));
}

Instant at(int64_t ms) {
  return Instant(seconds(1000) + milliseconds(ms));
}

}  // namespace

TEST_CASE("a problem begins when it lasts and ends when it has been quiet") {
  FrameProblems problems;
  problems.add(at(0), Drop::kUnknownKey, frame_of(0xb1), kOurs);
  problems.add(at(499), Drop::kUnknownKey, frame_of(0xb1), kOurs);
  CHECK(problems.standing().empty());
  problems.add(at(500), Drop::kUnknownKey, frame_of(0xb1), kOurs);
  REQUIRE(problems.standing().size() == 1);
  const FrameProblem problem = problems.standing()[0];
  CHECK(problem.who == "0000000000b1");
  CHECK(problem.text == "a device at 02:00:00:00:00:b1 on ha1 (unit 0000000000b1) uses another password");
  CHECK(problem.count == 3);
  problems.expire(at(10499));
  CHECK(problems.standing().size() == 1);
  problems.expire(at(10500));
  CHECK(problems.standing().empty());
}

TEST_CASE("each unit and each cause is a problem of its own") {
  FrameProblems problems;
  for (const int ms : {0, 1000}) {
    problems.add(at(ms), Drop::kUnknownKey, frame_of(0xb1), kOurs);
    problems.add(at(ms), Drop::kUnknownKey, frame_of(0xb2), kOurs);
    problems.add(at(ms), Drop::kWrongCluster, frame_of(0xb1, 2), kOurs);
  }
  REQUIRE(problems.standing().size() == 3);
  CHECK(problems.standing()[2].text == "a device at 02:00:00:00:00:b1 on ha1 is in cluster 2; this one in cluster 1");
}

TEST_CASE("senders that are invented do not hide one that keeps sending") {
  FrameProblems problems;
  for (int ms = 0; ms < 2000; ++ms) {
    if (ms % 200 == 0) problems.add(at(ms), Drop::kUnknownKey, frame_of(0xb1), kOurs);
    if (ms > 600) problems.add(at(ms), Drop::kBadTag, frame_of(0x1000 + static_cast<uint64_t>(ms)), kOurs);
  }
  REQUIRE(problems.standing().size() == 1);
  CHECK(problems.standing()[0].who == "0000000000b1");
}

TEST_CASE("every cause has words, for frames of any length") {
  for (size_t cause = 0; cause < wire::kDropCauses; ++cause) {
    for (const size_t size : {0u, 10u, 60u}) {
      FrameProblems problems;
      for (const int ms : {0, 1000}) problems.add(at(ms), static_cast<Drop>(cause), wire::Bytes(size), kOurs);
      REQUIRE(problems.standing().size() == 1);
      CHECK(problems.standing()[0].text.find("not understood") == std::string::npos);
    }
  }
}
