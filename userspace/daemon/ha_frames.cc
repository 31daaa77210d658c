// SPDX-License-Identifier: Apache-2.0
#include "daemon/ha_frames.h"

#include <sys/random.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "io/clock.h"

namespace nsrp::daemon {

namespace {

constexpr seconds kForgotten{10};  // who was not heard for so long gives its place to another

void fill_with_chance(std::span<uint8_t> bytes) {
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("the kernel gives no random numbers");
  }
}

// How long a member may be silent and still be waited for when passwords change.
Duration patience_of(const core::Heartbeat& heartbeat) {
  return heartbeat.leaving ? Duration{0} : 2 * heartbeat.hb_threshold * Duration(heartbeat.hb_interval);
}

}  // namespace

HaFrames::HaFrames(io::Loop& loop, uint64_t boot_epoch, Handlers handlers)
    : loop_(loop), handlers_(std::move(handlers)), guard_(boot_epoch, fill_with_chance) {}

HaFrames::~HaFrames() {
  if (second_ != 0) loop_.cancel(second_);
}

void HaFrames::join(std::optional<Identity> identity) {
  identity_ = identity;
  if (identity_) {
    guard_.join(identity_->unit, identity_->cluster);
    if (second_ == 0) on_second();
    return;
  }
  view_.peer_addresses.clear();
  view_.peer_checksums.clear();
  heard_.clear();
  problems_.clear();
  refresh_view();
}

void HaFrames::set_keys(std::shared_ptr<const wire::Keys> keys) {
  guard_.keys().set(io::now(), std::move(keys));
  refresh_view();
}

void HaFrames::open_link(const ControlLink& link) {
  const auto known = facts_.find(link.index);
  const bool same_interface =
      known != facts_.end() && open_.contains(link.index) && known->second.ifindex == link.ifindex;
  facts_[link.index] = link;
  if (same_interface) return;
  open_.erase(link.index);
  Result<io::LinkSocket> socket = io::LinkSocket::open(link.ifindex, wire::kEtherType);
  if (!socket) return;  // the interface is gone again; its return is told like any other change
  OpenLink& open = open_.emplace(link.index, OpenLink{std::move(*socket), {}, {}}).first->second;
  open.watch = loop_.watch(open.socket.fd(), io::Loop::kReadable, [this, index = link.index] { receive(index); });
}

void HaFrames::close_link(core::LinkIndex index) {
  open_.erase(index);
  facts_.erase(index);
  for (auto& [unit, addresses] : view_.peer_addresses) addresses.erase(index);
}

void HaFrames::close_links() {
  open_.clear();
  facts_.clear();
}

void HaFrames::send(const core::SendHeartbeat& order) {
  if (!identity_) return;
  const uint32_t newest_key = wire::KeyRing::id_of(guard_.keys().newest());
  wire::HeartbeatBody body{{}, identity_->config_checksum, newest_key, order.heartbeat};
  for (const auto& [index, link] : facts_) {
    if (!order.links.test(index.value)) continue;
    body.link_local = link.link_local;
    transmit(index, guard_.seal(head(index, wire::FrameType::kHeartbeat, wire::kBroadcast), wire::encode(body)));
  }
}

void HaFrames::send(const core::SendProbe& order) {
  if (!identity_ || !facts_.contains(order.link)) return;
  const wire::Bytes body = wire::encode(wire::ProbeBody{order.id, identity_->unit});
  const auto ask = [&](const MacAddress& whom) {
    transmit(order.link, guard_.seal(head(order.link, wire::FrameType::kProbeRequest, whom), body));
  };
  if (order.to) return ask(*order.to);
  bool anybody = false;
  for (const auto& [unit, addresses] : view_.peer_addresses) {
    const auto address = addresses.find(order.link);
    if (address == addresses.end()) continue;
    ask(address->second.mac);
    anybody = true;
  }
  if (!anybody) ask(wire::kBroadcast);
}

wire::FrameHead HaFrames::head(core::LinkIndex index, wire::FrameType type, const MacAddress& to) const {
  wire::FrameHead head;
  head.destination = to;
  head.source = facts_.at(index).mac;
  head.type = type;
  head.link = index;
  return head;
}

void HaFrames::transmit(core::LinkIndex index, const wire::Bytes& frame) {
  const auto open = open_.find(index);
  if (open == open_.end()) return;
  ++(open->second.socket.send(frame) ? view_.frames_sent : view_.send_errors);
}

void HaFrames::receive(core::LinkIndex index) {
  const auto open = open_.find(index);
  if (open == open_.end()) return;
  open->second.socket.receive(kFramesPerTurn,
                              [this, index](std::span<const uint8_t> bytes) { on_frame(index, bytes); });
  refresh_view();
  handlers_.turn_ended();
}

void HaFrames::on_frame(core::LinkIndex index, std::span<const uint8_t> bytes) {
  if (!identity_) return;
  const Instant now = io::now();
  wire::Verdict verdict = guard_.open(now, index, bytes);
  if (verdict.frame) verdict.drop = use(index, *verdict.frame);
  if (verdict.reply) transmit(index, guard_.seal(head(index, verdict.reply->type, verdict.reply->to), *verdict.reply));
  if (!verdict.drop) return;
  ++view_.drops[static_cast<size_t>(*verdict.drop)];
  problems_.add(now, *verdict.drop, bytes, {identity_->cluster, facts_.at(index).ifname});
}

std::optional<wire::Drop> HaFrames::use(core::LinkIndex index, const wire::OpenedFrame& frame) {
  switch (frame.head.type) {
    case wire::FrameType::kHeartbeat:
      return on_heartbeat(index, frame);
    case wire::FrameType::kProbeRequest:
      return on_probe_request(index, frame);
    case wire::FrameType::kProbeAnswer:
      return on_probe_answer(index, frame);
    default:
      return wire::Drop::kUnprotected;  // a challenge without a key proves nothing
  }
}

std::optional<wire::Drop> HaFrames::on_heartbeat(core::LinkIndex index, const wire::OpenedFrame& frame) {
  const auto body = wire::decode_heartbeat(frame.head, frame.body);
  if (!body) return wire::Drop::kMalformed;
  const Instant now = io::now();
  if (!admit(now, frame.head.unit)) return wire::Drop::kFloodLimited;
  ++view_.frames_received;
  const core::Heartbeat& heartbeat = body->heartbeat;
  guard_.keys().on_heartbeat(now, heartbeat.unit, frame.head.key_id, body->newest_key, patience_of(heartbeat));
  const bool news = remember(index, frame.head, *body);
  handlers_.heartbeat(index, frame.head.link, heartbeat);
  if (news) handlers_.peers_changed();
  return std::nullopt;
}

// Without a password anybody can invent members; they must not take the place of those that are there.
bool HaFrames::admit(Instant now, UnitId unit) {
  if (!heard_.contains(unit) && heard_.size() >= kMostPeers) {
    for (auto it = heard_.begin(); it != heard_.end();) {
      if (now < it->second + kForgotten) {
        ++it;
        continue;
      }
      view_.peer_addresses.erase(it->first);
      view_.peer_checksums.erase(it->first);
      it = heard_.erase(it);
    }
    if (heard_.size() >= kMostPeers) return false;
  }
  heard_[unit] = now;
  return true;
}

bool HaFrames::remember(core::LinkIndex index, const wire::FrameHead& head, const wire::HeartbeatBody& body) {
  PeerAddress& address = view_.peer_addresses[head.unit][index];
  uint64_t& checksum = view_.peer_checksums[head.unit];
  const PeerAddress said{head.source, body.link_local};
  if (address == said && checksum == body.config_checksum) return false;
  address = said;
  checksum = body.config_checksum;
  return true;
}

std::optional<wire::Drop> HaFrames::on_probe_request(core::LinkIndex index, const wire::OpenedFrame& frame) {
  const auto body = wire::decode_probe(frame.body);
  if (!body) return wire::Drop::kMalformed;
  const Instant now = io::now();
  Instant& answered = open_.at(index).probe_answered;
  if (now < answered + kProbeAnswerPause) return wire::Drop::kFloodLimited;
  answered = now;
  ++view_.frames_received;
  transmit(index, guard_.seal(head(index, wire::FrameType::kProbeAnswer, frame.head.source), wire::encode(*body)));
  return std::nullopt;
}

std::optional<wire::Drop> HaFrames::on_probe_answer(core::LinkIndex index, const wire::OpenedFrame& frame) {
  const auto body = wire::decode_probe(frame.body);
  if (!body) return wire::Drop::kMalformed;
  ++view_.frames_received;
  if (body->asker == identity_->unit) handlers_.probe_answer(index, body->id);
  return std::nullopt;
}

void HaFrames::on_second() {
  second_ = 0;
  if (!identity_) return;
  const Instant now = io::now();
  second_ = loop_.call_at(now + seconds(1), [this] { on_second(); });
  guard_.keys().on_time(now);
  for (const auto& [index, open] : open_) {
    view_.drops[static_cast<size_t>(wire::Drop::kFloodLimited)] += open.socket.overflowed();
  }
  problems_.expire(now);
  refresh_view();
  handlers_.turn_ended();
}

void HaFrames::refresh_view() {
  view_.problems = problems_.standing();
  view_.key_change = guard_.keys().changing();
  view_.key_change_waits_for = guard_.keys().waiting_for(io::now());
  if (view_.keys == guard_.keys().sending()) return;
  view_.keys = guard_.keys().sending();
  handlers_.peers_changed();
}

}  // namespace nsrp::daemon
