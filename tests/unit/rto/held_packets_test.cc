// SPDX-License-Identifier: Apache-2.0
#include "rto/held_packets.h"

#include <doctest/doctest.h>

#include <string>

using namespace nsrp;
using namespace nsrp::rto;

namespace {

constexpr VsdId kVsd0{0}, kVsd1{1};
constexpr milliseconds kBound{10};

Instant at(milliseconds since) {
  return Instant{} + seconds(3600) + since;
}

// Packets are told apart by their frame.
HeldPacket packet(const std::string& name, bool first, milliseconds when, VsdId vsd = kVsd0) {
  HeldPacket packet{};
  packet.about.held_ns = to_ns(at(when));
  packet.about.vsd = vsd.value;
  packet.about.first = first ? 1 : 0;
  packet.frame.assign(name.begin(), name.end());
  return packet;
}

struct Held : HeldPackets {
  Held() { set_bounds({{kVsd0, kBound}, {kVsd1, kBound}}); }
  // "a acknowledged, b behind"
  std::string sent(milliseconds when) {
    std::string text;
    for (const ReleasedPacket& each : release(at(when))) {
      text += (text.empty() ? "" : ", ") + std::string(each.packet.frame.begin(), each.packet.frame.end()) + " " +
              std::string(to_string(each.why));
    }
    return text;
  }
};

}  // namespace

TEST_CASE("the first packet of a session waits for the peer's word, and then leaves at once") {
  Held held;
  held.hold(packet("a", true, milliseconds(0)));
  const auto id = held.request();
  REQUIRE(id);
  CHECK_FALSE(held.request());
  CHECK(held.sent(milliseconds(1)).empty());
  CHECK(held.next_deadline() == at(kBound));
  held.acknowledge(*id, true);
  CHECK(held.sent(milliseconds(1)) == "a acknowledged");
  CHECK(held.size() == 0);
  CHECK_FALSE(held.next_deadline());
  CHECK(held.released().at(kVsd0)[static_cast<size_t>(Release::kAcknowledged)] == 1);
}

TEST_CASE("a word that was asked for before a session came does not stand for it") {
  Held held;
  held.hold(packet("a", true, milliseconds(0)));
  const auto before = held.request();
  held.hold(packet("b", true, milliseconds(1)));
  const auto after = held.request();
  REQUIRE(after);
  held.acknowledge(*before, true);
  CHECK(held.sent(milliseconds(2)) == "a acknowledged");
  held.acknowledge(*after, true);
  CHECK(held.sent(milliseconds(2)) == "b acknowledged");
}

TEST_CASE("packets behind a held one keep their place, and need no word of their own") {
  Held held;
  held.hold(packet("a1", true, milliseconds(0)));
  const auto id = held.request();
  held.hold(packet("a2", false, milliseconds(1)));
  CHECK_FALSE(held.request());
  CHECK(held.sent(milliseconds(2)).empty());
  held.acknowledge(*id, true);
  held.hold(packet("a3", false, milliseconds(2)));
  CHECK(held.sent(milliseconds(2)) == "a1 acknowledged, a2 behind, a3 behind");
  held.hold(packet("a4", false, milliseconds(3)));
  CHECK(held.sent(milliseconds(3)) == "a4 behind");
}

TEST_CASE("without the peer's word a packet leaves when its bound has passed, and no later") {
  Held held;
  held.hold(packet("a", true, milliseconds(0)));
  held.hold(packet("b", true, milliseconds(4)));
  (void)held.request();
  CHECK(held.sent(kBound - milliseconds(1)).empty());
  CHECK(held.sent(kBound) == "a bound_passed");
  CHECK(held.next_deadline() == at(milliseconds(14)));
  CHECK(held.sent(milliseconds(14)) == "b bound_passed");
}

TEST_CASE("a late word for packets that have gone still serves those that came with them") {
  Held held;
  held.hold(packet("a", true, milliseconds(0)));
  held.hold(packet("b", true, milliseconds(5)));
  const auto id = held.request();
  CHECK(held.sent(kBound) == "a bound_passed");
  held.acknowledge(*id, true);
  CHECK(held.sent(kBound) == "b acknowledged");
}

TEST_CASE("a peer that does not answer is asked a few times only, and again when it does") {
  Held held;
  std::vector<uint64_t> asked;
  for (int i = 0; i < 20; ++i) {
    held.hold(packet("a", true, milliseconds(i)));
    if (const auto id = held.request()) asked.push_back(*id);
  }
  CHECK(asked.size() == HeldPackets::kMostRequests);
  held.acknowledge(asked[1], true);  // stands for the one before it too
  const auto id = held.request();
  REQUIRE(id);
  held.acknowledge(*id, true);
  CHECK(held.release(at(milliseconds(20))).size() == 20);
}

TEST_CASE("when the peer has gone nothing waits for it") {
  Held held;
  held.hold(packet("a", true, milliseconds(0)));
  const auto id = held.request();
  held.hold(packet("b", true, milliseconds(1)));
  held.acknowledge(*id, false);
  CHECK(held.sent(milliseconds(1)) == "a no_peer");
  const auto next = held.request();
  held.acknowledge(*next, true);
  CHECK(held.sent(milliseconds(1)) == "b acknowledged");
}

TEST_CASE("what is held of a VSD that is handed over leaves at once, that of others stays") {
  Held held;
  held.hold(packet("a", true, milliseconds(0), kVsd0));
  held.hold(packet("b", true, milliseconds(0), kVsd1));
  held.give_up(VsdSet::from_bits(1));
  CHECK(held.sent(milliseconds(1)) == "a handed_over");
  held.hold(packet("c", true, milliseconds(1), kVsd0));  // it has come back
  CHECK(held.sent(milliseconds(2)).empty());
}

TEST_CASE("a VSD that does not wait any more lets go of what it holds") {
  Held held;
  held.hold(packet("a", true, milliseconds(0), kVsd1));
  held.set_bounds({{kVsd0, kBound}});
  CHECK(held.sent(milliseconds(0)) == "a bound_passed");
}

TEST_CASE("of more packets than there is room for the oldest leave") {
  Held held;
  for (size_t i = 0; i < HeldPackets::kMostPackets + 3; ++i) held.hold(packet("a", true, milliseconds(0)));
  CHECK(held.release(at(milliseconds(1))).size() == 3);
  CHECK(held.size() == HeldPackets::kMostPackets);
  CHECK(held.released().at(kVsd0)[static_cast<size_t>(Release::kNoRoom)] == 3);
}
