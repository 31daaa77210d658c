// SPDX-License-Identifier: Apache-2.0
#include "wire/heartbeat_frame.h"

#include <algorithm>
#include <bitset>
#include <optional>
#include <stdexcept>

namespace nsrp::wire {

namespace {

constexpr uint32_t kMagic = 0x4e535250;  // "NSRP"
constexpr uint8_t kTypeHeartbeat = 1;
constexpr size_t kEthernetBytes = 14;
constexpr size_t kFixedBytes = 72;
constexpr size_t kVsdBytes = 20;
constexpr size_t kMinEthernetBytes = 60;
constexpr uint64_t kLastUnit = 0xffffffffffff;  // a unit id is a MAC address

// No heartbeat is short enough to be padded by Ethernet, so every byte after the last field is garbage.
static_assert(kEthernetBytes + kFixedBytes >= kMinEthernetBytes);
static_assert(kEthernetBytes + kFixedBytes + kMaxVsds * kVsdBytes <= kMaxFrameBytes);

enum FrameFlags : uint8_t { kLeaving = 1, kRtoEnabled = 2 };
enum VsdFlags : uint8_t { kWantsMaster = 1, kInSync = 2 };

class Writer {
 public:
  explicit Writer(size_t size) { bytes_.reserve(size); }
  template <class T>
  void number(T value) {
    for (size_t shift = sizeof(T) * 8; shift > 0; shift -= 8) {
      bytes_.push_back(static_cast<uint8_t>(value >> (shift - 8)));
    }
  }
  template <size_t N>
  void raw(const std::array<uint8_t, N>& bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  std::vector<uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<uint8_t> bytes_;
};

// Reads past the end give zeros and are remembered.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : rest_(bytes) {}
  template <class T>
  T number() {
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) value = value << 8 | byte();
    return static_cast<T>(value);
  }
  template <size_t N>
  std::array<uint8_t, N> raw() {
    std::array<uint8_t, N> bytes{};
    for (uint8_t& b : bytes) b = byte();
    return bytes;
  }
  size_t left() const { return rest_.size(); }
  bool overrun() const { return overrun_; }

 private:
  uint8_t byte() {
    if (rest_.empty()) {
      overrun_ = true;
      return 0;
    }
    const uint8_t b = rest_.front();
    rest_ = rest_.subspan(1);
    return b;
  }
  std::span<const uint8_t> rest_;
  bool overrun_ = false;
};

void encode_vsd(Writer& out, const core::VsdAdvert& vsd) {
  out.number(vsd.vsd.value);
  out.number(static_cast<uint8_t>(vsd.state));
  out.number(vsd.priority);
  out.number(static_cast<uint8_t>((vsd.wants_master ? kWantsMaster : 0) | (vsd.in_sync ? kInSync : 0)));
  out.number(vsd.term);
  out.number(vsd.handed_to.value);
}

std::optional<core::VsdAdvert> decode_vsd(Reader& in) {
  core::VsdAdvert vsd;
  vsd.vsd.value = in.number<uint8_t>();
  const auto state = in.number<uint8_t>();
  vsd.priority = in.number<uint8_t>();
  const auto flags = in.number<uint8_t>();
  vsd.term = in.number<uint64_t>();
  vsd.handed_to.value = in.number<uint64_t>();
  const bool state_known = state >= static_cast<uint8_t>(core::VsdState::kInitial) &&
                           state <= static_cast<uint8_t>(core::VsdState::kInoperable);
  if (vsd.vsd.value >= kMaxVsds || !state_known || vsd.priority == 0 || vsd.priority > 254 ||
      (flags & ~(kWantsMaster | kInSync)) != 0 || vsd.handed_to.value > kLastUnit) {
    return std::nullopt;
  }
  vsd.state = static_cast<core::VsdState>(state);
  vsd.wants_master = (flags & kWantsMaster) != 0;
  vsd.in_sync = (flags & kInSync) != 0;
  return vsd;
}

bool decode_vsds(Reader& in, size_t count, std::vector<core::VsdAdvert>& vsds) {
  std::bitset<kMaxVsds> seen;
  for (size_t i = 0; i < count; ++i) {
    std::optional<core::VsdAdvert> vsd = decode_vsd(in);
    if (!vsd || seen.test(vsd->vsd.value)) return false;
    seen.set(vsd->vsd.value);
    vsds.push_back(*vsd);
  }
  return true;
}

// The RTO channel connects to this address, so nothing but a link-local one may stand here.
bool is_link_local_or_none(const IpAddress& address) {
  return address.is_unspecified() || (address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80);
}

// Everything after the part by which foreign frames are told apart.
bool decode_rest(Reader& in, size_t total_bytes, HeartbeatFrame& frame) {
  core::Heartbeat& hb = frame.heartbeat;
  hb.boot_epoch = in.number<uint64_t>();
  hb.sequence = in.number<uint64_t>();
  frame.config_checksum = in.number<uint64_t>();
  frame.link_local = IpAddress{Family::kIpv6, in.raw<16>()};
  hb.rto_peer.value = in.number<uint64_t>();
  hb.hb_interval = milliseconds(in.number<uint16_t>());
  hb.hb_threshold = in.number<uint8_t>();
  const auto flags = in.number<uint8_t>();
  const auto length = in.number<uint16_t>();
  const auto count = in.number<uint8_t>();
  const auto reserved = in.number<uint8_t>();
  hb.leaving = (flags & kLeaving) != 0;
  hb.rto_enabled = (flags & kRtoEnabled) != 0;
  if (in.overrun() || reserved != 0 || (flags & ~(kLeaving | kRtoEnabled)) != 0 || count > kMaxVsds ||
      length != kFixedBytes + count * kVsdBytes || total_bytes != kEthernetBytes + length) {
    return false;
  }
  if (hb.hb_interval.count() == 0 || hb.hb_threshold == 0 || hb.rto_peer.value > kLastUnit ||
      !is_link_local_or_none(frame.link_local)) {
    return false;
  }
  return decode_vsds(in, count, hb.vsds) && !in.overrun();
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
    case Drop::kCount:
      break;
  }
  return "unknown";
}

std::vector<uint8_t> encode(const HeartbeatFrame& frame) {
  const core::Heartbeat& hb = frame.heartbeat;
  if (hb.vsds.size() > kMaxVsds) throw std::invalid_argument("a heartbeat holds at most 64 VSD groups");
  if (hb.hb_interval.count() < 1 || hb.hb_interval.count() > 0xffff) {
    throw std::invalid_argument("a heartbeat interval is 1-65535 ms");
  }
  const size_t length = kFixedBytes + hb.vsds.size() * kVsdBytes;
  Writer out(kEthernetBytes + length);
  out.raw(std::array<uint8_t, 6>{0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
  out.raw(frame.source.bytes);
  out.number(kEtherType);
  out.number(kMagic);
  out.number(kVersion);
  out.number(kTypeHeartbeat);
  out.number(frame.cluster.value);
  out.number(frame.link.value);
  out.number(hb.unit.value);
  out.number(hb.boot_epoch);
  out.number(hb.sequence);
  out.number(frame.config_checksum);
  out.raw(frame.link_local.family == Family::kIpv6 ? frame.link_local.bytes : std::array<uint8_t, 16>{});
  out.number(hb.rto_peer.value);
  out.number(static_cast<uint16_t>(hb.hb_interval.count()));
  out.number(hb.hb_threshold);
  out.number(static_cast<uint8_t>((hb.leaving ? kLeaving : 0) | (hb.rto_enabled ? kRtoEnabled : 0)));
  out.number(static_cast<uint16_t>(length));
  out.number(static_cast<uint8_t>(hb.vsds.size()));
  out.number(uint8_t{0});
  for (const core::VsdAdvert& vsd : hb.vsds) encode_vsd(out, vsd);
  return out.take();
}

tl::expected<HeartbeatFrame, Drop> decode(std::span<const uint8_t> bytes, ClusterId own_cluster, UnitId own_unit) {
  Reader in(bytes);
  HeartbeatFrame frame;
  in.raw<6>();  // the destination: an HA link is ours alone, and a probe may use unicast
  frame.source.bytes = in.raw<6>();
  const auto ethertype = in.number<uint16_t>();
  const auto magic = in.number<uint32_t>();
  const auto version = in.number<uint8_t>();
  if (in.overrun() || ethertype != kEtherType || magic != kMagic) return tl::unexpected(Drop::kMalformed);
  if (version != kVersion) return tl::unexpected(Drop::kWrongVersion);
  const auto type = in.number<uint8_t>();
  frame.cluster.value = in.number<uint8_t>();
  frame.link.value = in.number<uint8_t>();
  frame.heartbeat.unit.value = in.number<uint64_t>();
  if (in.overrun() || type != kTypeHeartbeat) return tl::unexpected(Drop::kMalformed);
  if (frame.cluster != own_cluster) return tl::unexpected(Drop::kWrongCluster);
  if (frame.heartbeat.unit == own_unit) return tl::unexpected(Drop::kOwnEcho);
  if (frame.heartbeat.unit.value == 0 || frame.heartbeat.unit.value > kLastUnit) {
    return tl::unexpected(Drop::kMalformed);
  }
  if (!decode_rest(in, bytes.size(), frame)) return tl::unexpected(Drop::kMalformed);
  return frame;
}

}  // namespace nsrp::wire
