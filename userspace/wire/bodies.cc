// SPDX-License-Identifier: Apache-2.0
#include "wire/bodies.h"

#include <algorithm>
#include <bitset>
#include <limits>
#include <stdexcept>

namespace nsrp::wire {

namespace {

constexpr size_t kFixedBytes = 50;
constexpr size_t kVsdBytes = 18;
constexpr size_t kHearingBytes = 23;
constexpr size_t kProbeBytes = 14;
constexpr size_t kChallengeBytes = 30;
constexpr size_t kChallengeAnswerBytes = 22;

static_assert(kFixedBytes + kMaxVsds * kVsdBytes + core::kMaxHearings * kHearingBytes <= kMaxBodyBytes);
// No frame is short enough to be padded by Ethernet, so every byte after the last field is garbage.
static_assert(kHeadBytes + kProbeBytes >= kMinEthernetBytes);

enum BodyFlags : uint8_t { kLeaving = 1, kRtoEnabled = 2 };
constexpr uint8_t kRelayed = 0x80;  // among the links of a hearing
enum VsdFlags : uint8_t { kWantsMaster = 1, kInSync = 2, kFollows = 4, kHandsOver = 8, kReady = 16 };

void encode_vsd(Writer& out, const core::VsdAdvert& vsd) {
  const bool hands_over = vsd.handed_to.value == 0 && vsd.handing_to.value != 0;
  const bool follows = vsd.handed_to.value == 0 && !hands_over && vsd.follows.value != 0;
  out.number(vsd.vsd.value);
  out.number(static_cast<uint8_t>(vsd.state));
  out.number(vsd.priority);
  out.number(static_cast<uint8_t>((vsd.wants_master ? kWantsMaster : 0) | (vsd.in_sync ? kInSync : 0) |
                                  (follows ? kFollows : 0) | (hands_over ? kHandsOver : 0) | (vsd.ready ? kReady : 0)));
  out.number(vsd.term);
  out.unit(hands_over ? vsd.handing_to : follows ? vsd.follows : vsd.handed_to);
}

std::optional<core::VsdAdvert> decode_vsd(Reader& in) {
  core::VsdAdvert vsd;
  vsd.vsd.value = in.number<uint8_t>();
  const auto state = in.number<uint8_t>();
  vsd.priority = in.number<uint8_t>();
  const auto flags = in.number<uint8_t>();
  vsd.term = in.number<uint64_t>();
  const UnitId named = in.unit();
  const bool state_known = state >= static_cast<uint8_t>(core::VsdState::kInitial) &&
                           state <= static_cast<uint8_t>(core::VsdState::kInoperable);
  const bool follows = (flags & kFollows) != 0, hands_over = (flags & kHandsOver) != 0;
  constexpr unsigned kKnown = kWantsMaster | kInSync | kFollows | kHandsOver | kReady;
  if (vsd.vsd.value >= kMaxVsds || !state_known || vsd.priority == 0 || vsd.priority > 254 || (flags & ~kKnown) != 0 ||
      (follows && hands_over) || ((follows || hands_over) && named.value == 0)) {
    return std::nullopt;
  }
  vsd.state = static_cast<core::VsdState>(state);
  vsd.wants_master = (flags & kWantsMaster) != 0;
  vsd.in_sync = (flags & kInSync) != 0;
  vsd.ready = (flags & kReady) != 0;
  (hands_over ? vsd.handing_to : follows ? vsd.follows : vsd.handed_to) = named;
  return vsd;
}

bool decode_vsds(Reader& in, size_t count, std::vector<core::VsdAdvert>& vsds) {
  std::bitset<kMaxVsds> seen;
  for (size_t i = 0; i < count; ++i) {
    const std::optional<core::VsdAdvert> vsd = decode_vsd(in);
    if (!vsd || seen.test(vsd->vsd.value)) return false;
    seen.set(vsd->vsd.value);
    vsds.push_back(*vsd);
  }
  return true;
}

uint32_t microseconds_of(Duration duration) {
  constexpr int64_t kMost = std::numeric_limits<uint32_t>::max();
  return static_cast<uint32_t>(std::clamp<int64_t>(duration / std::chrono::microseconds(1), 0, kMost));
}

void encode_hearing(Writer& out, const core::Hearing& hearing) {
  out.unit(hearing.unit);
  out.number(hearing.epoch);
  out.number(hearing.sequence);
  out.number(microseconds_of(hearing.silence));
  out.number(microseconds_of(hearing.forgiven));
  out.number(static_cast<uint8_t>(hearing.links.to_ulong() | (hearing.relayed ? kRelayed : 0)));
}

bool decode_hearings(Reader& in, size_t count, std::vector<core::Hearing>& heard) {
  for (size_t i = 0; i < count; ++i) {
    core::Hearing hearing;
    hearing.unit = in.unit();
    hearing.epoch = in.number<uint32_t>();
    hearing.sequence = in.number<uint32_t>();
    hearing.silence = std::chrono::microseconds(in.number<uint32_t>());
    hearing.forgiven = std::chrono::microseconds(in.number<uint32_t>());
    const auto bits = in.number<uint8_t>();
    hearing.relayed = (bits & kRelayed) != 0;
    const unsigned links = bits & ~unsigned{kRelayed};
    const bool twice =
        std::any_of(heard.begin(), heard.end(), [&](const core::Hearing& other) { return other.unit == hearing.unit; });
    if (hearing.unit.value == 0 || links >= 1u << core::kLinks || twice) return false;
    hearing.links = core::LinkSet(links);
    heard.push_back(hearing);
  }
  return true;
}

// The RTO channel connects to this address, so nothing but a link-local one may stand here.
bool is_link_local_or_none(const IpAddress& address) {
  return address.is_unspecified() || (address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80);
}

void require_sayable(const core::Heartbeat& hb) {
  if (hb.vsds.size() > kMaxVsds) throw std::invalid_argument("a heartbeat holds at most 64 VSD groups");
  if (hb.heard.size() > core::kMaxHearings) throw std::invalid_argument("a heartbeat tells of at most 7 members");
  if (hb.hb_interval.count() < 1 || hb.hb_interval.count() > 0xffff) {
    throw std::invalid_argument("a heartbeat interval is 1-65535 ms");
  }
}

}  // namespace

Bytes encode(const HeartbeatBody& body) {
  const core::Heartbeat& hb = body.heartbeat;
  require_sayable(hb);
  Writer out(kFixedBytes + hb.vsds.size() * kVsdBytes + hb.heard.size() * kHearingBytes);
  out.number(hb.sequence);
  out.number(body.config_checksum);
  out.raw(body.link_local.family == Family::kIpv6 ? body.link_local.bytes : std::array<uint8_t, 16>{});
  out.unit(hb.rto_peer);
  out.number(static_cast<uint16_t>(hb.hb_interval.count()));
  out.number(hb.hb_threshold);
  out.number(static_cast<uint8_t>((hb.leaving ? kLeaving : 0) | (hb.rto_enabled ? kRtoEnabled : 0)));
  out.number(body.newest_key);
  out.number(static_cast<uint8_t>(hb.vsds.size()));
  out.number(static_cast<uint8_t>(hb.heard.size()));
  out.number(hb.clears);
  for (const core::VsdAdvert& vsd : hb.vsds) encode_vsd(out, vsd);
  for (const core::Hearing& hearing : hb.heard) encode_hearing(out, hearing);
  return out.take();
}

std::optional<HeartbeatBody> decode_heartbeat(const FrameHead& head, ByteView bytes) {
  Reader in(bytes);
  HeartbeatBody body;
  core::Heartbeat& hb = body.heartbeat;
  hb.unit = head.unit;
  hb.boot_epoch = head.epoch;
  hb.sequence = in.number<uint64_t>();
  body.config_checksum = in.number<uint64_t>();
  body.link_local = IpAddress{Family::kIpv6, in.raw<16>()};
  hb.rto_peer = in.unit();
  hb.hb_interval = milliseconds(in.number<uint16_t>());
  hb.hb_threshold = in.number<uint8_t>();
  const auto flags = in.number<uint8_t>();
  body.newest_key = in.number<uint32_t>();
  const auto vsds = in.number<uint8_t>();
  const auto hearings = in.number<uint8_t>();
  hb.clears = in.number<uint16_t>();
  hb.leaving = (flags & kLeaving) != 0;
  hb.rto_enabled = (flags & kRtoEnabled) != 0;
  if (in.overrun() || (flags & ~(kLeaving | kRtoEnabled)) != 0 || vsds > kMaxVsds || hearings > core::kMaxHearings ||
      hb.hb_interval.count() == 0 || hb.hb_threshold == 0 || !is_link_local_or_none(body.link_local)) {
    return std::nullopt;
  }
  if (!decode_vsds(in, vsds, hb.vsds) || !decode_hearings(in, hearings, hb.heard) || !in.at_end()) return std::nullopt;
  return body;
}

Bytes encode(const ProbeBody& body) {
  Writer out(kProbeBytes);
  out.number(body.id);
  out.unit(body.asker);
  return out.take();
}

std::optional<ProbeBody> decode_probe(ByteView bytes) {
  Reader in(bytes);
  const ProbeBody body{in.number<uint64_t>(), in.unit()};
  return in.at_end() ? std::optional(body) : std::nullopt;
}

Bytes encode(const ChallengeBody& body) {
  Writer out(kChallengeBytes);
  out.unit(body.asked);
  out.number(body.epoch);
  out.raw(body.nonce);
  return out.take();
}

std::optional<ChallengeBody> decode_challenge(ByteView bytes) {
  Reader in(bytes);
  const ChallengeBody body{in.unit(), in.number<uint64_t>(), in.raw<16>()};
  return in.at_end() ? std::optional(body) : std::nullopt;
}

Bytes encode(const ChallengeAnswerBody& body) {
  Writer out(kChallengeAnswerBytes);
  out.unit(body.asker);
  out.raw(body.nonce);
  return out.take();
}

std::optional<ChallengeAnswerBody> decode_challenge_answer(ByteView bytes) {
  Reader in(bytes);
  const ChallengeAnswerBody body{in.unit(), in.raw<16>()};
  return in.at_end() ? std::optional(body) : std::nullopt;
}

}  // namespace nsrp::wire
