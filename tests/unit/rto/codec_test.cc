// SPDX-License-Identifier: Apache-2.0
#include "rto/codec.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "sessions.h"

using namespace nsrp;
using namespace nsrp::rto;
using namespace nsrp::rto::test;

namespace {

std::vector<uint8_t> encode(const Message& message) {
  std::vector<uint8_t> bytes;
  append(bytes, message);
  return bytes;
}

std::vector<Message> decode_all(std::span<const uint8_t> bytes, size_t chunk) {
  Decoder decoder;
  std::vector<Message> messages;
  for (size_t at = 0; at < bytes.size(); at += chunk) {
    decoder.feed(bytes.subspan(at, std::min(chunk, bytes.size() - at)));
    for (;;) {
      auto message = decoder.next();
      REQUIRE_MESSAGE(message.has_value(), message.error().message);
      if (!*message) break;
      messages.push_back(std::move(**message));
    }
  }
  return messages;
}

bool refused(std::span<const uint8_t> bytes) {
  Decoder decoder;
  decoder.feed(bytes);
  return !decoder.next().has_value();
}

}  // namespace

TEST_CASE("every message arrives as it was sent, in chunks of any size") {
  Session v6{};
  v6.key.family = v6.session.reply.family = NSRP_IPV6;
  std::fill(std::begin(v6.key.saddr), std::end(v6.key.saddr), uint8_t{0xfe});
  v6.key.proto = v6.session.reply.proto = 17;
  v6.session.vsd = 63;
  const std::vector<Message> sent = {
      Hello{UnitId{0x0200000000a1}, ClusterId{7}, 0x1122334455667788, true, ClassSet::from_bits(0x8003)},
      ReceiverReady{},
      GroupActive{},
      RtoHeartbeat{},
      SyncBegin{3, VsdSet::from_bits(0x8000000000000001)},
      SessionPut{{session(1), session(2, 5, 9), v6}},
      SessionEnd{{{tuple(7), VsdId{1}}, {v6.key, VsdId{63}}}},
      SyncEnd{3, 4},
      Barrier{0xdeadbeef},
      ObjectSync{ClassId::kArp, VsdSet::from_bits(5)},
      ObjectPut{ClassId::kArp, {{VsdId{2}, "key", "value"}, {VsdId{0}, "k", "v"}}},
      ObjectEnd{ClassId{15}, {{VsdId{63}, std::string("\0\1", 2)}}},
      ObjectSyncEnd{ClassId::kArp},
      BarrierAck{1},
      GroupDetach{}};
  std::vector<uint8_t> bytes;
  for (const Message& message : sent) append(bytes, message);
  for (const size_t chunk : {size_t{1}, size_t{7}, size_t{100}, bytes.size()}) {
    const std::vector<Message> got = decode_all(bytes, chunk);
    REQUIRE(got.size() == sent.size());
    std::vector<uint8_t> again;
    for (const Message& message : got) append(again, message);
    CHECK(again == bytes);
    CHECK(std::get<Hello>(got[0]) == std::get<Hello>(sent[0]));
    CHECK(std::get<SyncBegin>(got[4]).vsds.contains(VsdId{63}));
    const auto& put = std::get<SessionPut>(got[5]);
    REQUIRE(put.sessions.size() == 3);
    CHECK(same(put.sessions[1], session(2, 5, 9)));
    CHECK(same(put.sessions[2], v6));
    CHECK(std::get<SessionEnd>(got[6]).sessions[1].vsd == VsdId{63});
    CHECK(std::get<Barrier>(got[8]).id == 0xdeadbeef);
    CHECK(std::get<ObjectPut>(got[10]).objects == std::get<ObjectPut>(sent[10]).objects);
    CHECK(std::get<ObjectEnd>(got[11]).objects == std::get<ObjectEnd>(sent[11]).objects);
  }
}

TEST_CASE("numbers are in network order and lengths are exact") {
  CHECK(encode(Barrier{0x0102030405060708}) ==
        std::vector<uint8_t>{0, 0, 0, 8, 0, 10, 0, 2, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8});
  const std::vector<uint8_t> put = encode(SessionPut{{session(1, 4, 0x01020304)}});
  REQUIRE(put.size() == kHeaderBytes + kSessionBytes);
  CHECK(put[11] == 1);
  const auto generation = std::vector<uint8_t>(put.begin() + 92, put.begin() + 96);
  CHECK(generation == std::vector<uint8_t>{1, 2, 3, 4});
  CHECK(put[kHeaderBytes + 97] == 4);  // vsd
  CHECK(encode(SessionEnd{{{tuple(1), VsdId{4}}}}).size() == kHeaderBytes + kEndedSessionBytes);
}

TEST_CASE("times and flags, which are local to a device, are not sent") {
  Session local = session(1);
  local.session.created_ns = local.session.last_seen_ns = local.session.exported_ns = 12345;
  local.session.flags = NSRP_SESSION_FROM_PEER | NSRP_SESSION_DIRTY;
  CHECK(encode(SessionPut{{local}}) == encode(SessionPut{{session(1)}}));
}

TEST_CASE("a message that no device of ours sends is refused") {
  std::vector<uint8_t> bytes;
  SUBCASE("another version") {
    bytes = encode(RtoHeartbeat{});
    bytes[7] = 1;
  }
  SUBCASE("an unknown type") {
    bytes = encode(RtoHeartbeat{});
    bytes[5] = 99;
  }
  SUBCASE("a body where none belongs") {
    bytes = encode(RtoHeartbeat{});
    bytes[3] = 1;
  }
  SUBCASE("a count that does not fit the length") {
    bytes = encode(SessionPut{{session(1)}});
    bytes[11] = 2;
  }
  SUBCASE("an empty list") {
    bytes = encode(SessionPut{});
  }
  SUBCASE("a length beyond the limit, before its body is waited for") {
    bytes = {0xff, 0xff, 0xff, 0xff, 0, 6, 0, 2, 0xff, 0xff, 0xff, 0xff};
  }
  SUBCASE("a product of count and size that would wrap around") {
    bytes = {0, 0, 0, 0, 0, 6, 0, 2, 0x40, 0, 0, 0};
  }
  SUBCASE("a reserved field") {
    bytes = encode(SessionPut{{session(1)}});
    bytes.back() = 1;
  }
  SUBCASE("an unknown family") {
    Session s = session(1);
    s.key.family = s.session.reply.family = 5;
    bytes = encode(SessionPut{{s}});
  }
  SUBCASE("an IPv4 address with a tail") {
    Session s = session(1);
    s.session.reply.saddr[15] = 1;
    bytes = encode(SessionPut{{s}});
  }
  SUBCASE("directions of different protocols") {
    Session s = session(1);
    s.session.reply.proto = 17;
    bytes = encode(SessionPut{{s}});
  }
  SUBCASE("a VSD that cannot exist") {
    bytes = encode(SessionPut{{session(1, 64)}});
  }
  SUBCASE("a VSD that cannot exist, of an ended session") {
    bytes = encode(SessionEnd{{{tuple(1), VsdId{64}}}});
  }
  SUBCASE("a TCP state that cannot exist") {
    Session s = session(1);
    s.session.tcp_state = 10;
    bytes = encode(SessionPut{{s}});
  }
  SUBCASE("an object without a name") {
    bytes = encode(ObjectPut{ClassId::kArp, {{VsdId{0}, "", "value"}}});
  }
  SUBCASE("an object without a value") {
    bytes = encode(ObjectPut{ClassId::kArp, {{VsdId{0}, "key", ""}}});
  }
  SUBCASE("bytes behind the last object") {
    bytes = encode(ObjectPut{ClassId::kArp, {{VsdId{0}, "key", "value"}}});
    ++bytes[3];
    bytes.push_back(0);
  }
  SUBCASE("an object longer than its message") {
    bytes = encode(ObjectPut{ClassId::kArp, {{VsdId{0}, "key", "value"}}});
    ++bytes[kHeaderBytes + kObjectClassBytes + 3];
  }
  SUBCASE("sessions as objects") {
    bytes = encode(ObjectSyncEnd{ClassId::kSession});
  }
  SUBCASE("unknown flags in a hello") {
    bytes = encode(Hello{UnitId{1}, ClusterId{1}, 1, true});
    bytes[kHeaderBytes + 17] = 3;
  }
  CHECK(refused(bytes));
}

TEST_CASE("after an error nothing more is decoded") {
  Decoder decoder;
  std::vector<uint8_t> bytes = encode(SessionPut{{session(1, 64)}});
  append(bytes, RtoHeartbeat{});
  decoder.feed(bytes);
  CHECK_FALSE(decoder.next().has_value());
  decoder.feed(encode(RtoHeartbeat{}));
  CHECK_FALSE(decoder.next().has_value());
}
