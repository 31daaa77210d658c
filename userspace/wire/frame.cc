// SPDX-License-Identifier: Apache-2.0
#include "wire/frame.h"

#include <algorithm>
#include <stdexcept>

namespace nsrp::wire {

namespace {

constexpr uint32_t kMagic = 0x4e535250;  // "NSRP"

bool known_type(uint8_t type) {
  return type >= static_cast<uint8_t>(FrameType::kHeartbeat) &&
         type <= static_cast<uint8_t>(FrameType::kChallengeAnswer);
}

bool plausible(const FrameHead& head) {
  const bool protection_known = head.protection <= Protection::kEncrypted;
  const bool key_fits = (head.protection == Protection::kNone) == (head.key_id == 0);
  return protection_known && key_fits && head.unit.value != 0 && head.link.value < core::kLinks;
}

}  // namespace

std::string_view to_string(Drop drop) {
  switch (drop) {
    case Drop::kMalformed:
      return "malformed";
    case Drop::kWrongVersion:
      return "wrong version";
    case Drop::kWrongCluster:
      return "wrong cluster";
    case Drop::kOwnEcho:
      return "own echo";
    case Drop::kDuplicateUnit:
      return "duplicate unit id";
    case Drop::kUnprotected:
      return "unprotected";
    case Drop::kProtected:
      return "protected";
    case Drop::kUnknownKey:
      return "unknown key";
    case Drop::kBadTag:
      return "bad tag";
    case Drop::kReplay:
      return "replay";
    case Drop::kStaleEpoch:
      return "stale epoch";
    case Drop::kWrongLink:
      return "wrong link";
    case Drop::kFloodLimited:
      return "flood limited";
    case Drop::kCount:
      break;
  }
  return "unknown";
}

Bytes encode_frame(const FrameHead& head, ByteView body) {
  if (body.size() > kMaxBodyBytes) throw std::invalid_argument("the body does not fit into a frame");
  const size_t tag_bytes = head.protection == Protection::kNone ? 0 : kTagBytes;
  Writer out(kHeadBytes + body.size() + tag_bytes);
  out.raw(head.destination.bytes);
  out.raw(head.source.bytes);
  out.number(kEtherType);
  out.number(kMagic);
  out.number(kVersion);
  out.number(static_cast<uint8_t>(head.type));
  out.number(head.cluster.value);
  out.number(head.link.value);
  out.unit(head.unit);
  out.number(head.epoch);
  out.number(head.counter);
  out.number(head.key_id);
  out.number(static_cast<uint8_t>(head.protection));
  out.number(uint8_t{0});
  out.number(static_cast<uint16_t>(body.size()));
  out.raw(body);
  Bytes bytes = out.take();
  bytes.resize(bytes.size() + tag_bytes);
  return bytes;
}

tl::expected<FrameView, Drop> parse_frame(ByteView bytes) {
  Reader in(bytes);
  FrameView frame;
  FrameHead& head = frame.head;
  head.destination.bytes = in.raw<6>();
  head.source.bytes = in.raw<6>();
  const auto ethertype = in.number<uint16_t>();
  const auto magic = in.number<uint32_t>();
  const auto version = in.number<uint8_t>();
  if (in.overrun() || ethertype != kEtherType || magic != kMagic) return tl::unexpected(Drop::kMalformed);
  if (version != kVersion) return tl::unexpected(Drop::kWrongVersion);
  const auto type = in.number<uint8_t>();
  head.type = static_cast<FrameType>(type);
  head.cluster.value = in.number<uint8_t>();
  head.link.value = in.number<uint8_t>();
  head.unit = in.unit();
  head.epoch = in.number<uint64_t>();
  head.counter = in.number<uint64_t>();
  head.key_id = in.number<uint32_t>();
  head.protection = static_cast<Protection>(in.number<uint8_t>());
  const auto reserved = in.number<uint8_t>();
  const auto body_bytes = in.number<uint16_t>();
  if (in.overrun() || !known_type(type) || reserved != 0 || !plausible(head)) return tl::unexpected(Drop::kMalformed);
  const size_t tag_bytes = head.protection == Protection::kNone ? 0 : kTagBytes;
  if (bytes.size() != kHeadBytes + body_bytes + tag_bytes || body_bytes > kMaxBodyBytes) {
    return tl::unexpected(Drop::kMalformed);
  }
  frame.head_bytes = bytes.first(kHeadBytes);
  frame.body = bytes.subspan(kHeadBytes, body_bytes);
  frame.tag = bytes.last(tag_bytes);
  return frame;
}

}  // namespace nsrp::wire
