// SPDX-License-Identifier: Apache-2.0
#include "daemon/ha_frames.h"

#include <utility>

namespace nsrp::daemon {

HaFrames::HaFrames(io::Loop& loop, uint64_t boot_epoch, Handlers handlers)
    : loop_(loop), boot_epoch_(boot_epoch), handlers_(std::move(handlers)) {}

void HaFrames::join(std::optional<Identity> identity) {
  identity_ = identity;
  if (identity_) return;
  view_.peer_addresses.clear();
  view_.peer_checksums.clear();
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
  OpenLink& open = open_.emplace(link.index, OpenLink{std::move(*socket), {}}).first->second;
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
  wire::HeartbeatBody body{{}, identity_->config_checksum, 0, order.heartbeat};
  for (const auto& [index, link] : facts_) {
    if (!order.links.test(index.value)) continue;
    body.link_local = link.link_local;
    transmit(index, wire::FrameType::kHeartbeat, wire::kBroadcast, wire::encode(body));
  }
}

void HaFrames::send(const core::SendProbe& order) {
  if (!identity_) return;
  const wire::Bytes body = wire::encode(wire::ProbeBody{order.id, identity_->unit});
  if (order.to) return transmit(order.link, wire::FrameType::kProbeRequest, *order.to, body);
  bool anybody = false;
  for (const auto& [unit, addresses] : view_.peer_addresses) {
    const auto address = addresses.find(order.link);
    if (address == addresses.end()) continue;
    transmit(order.link, wire::FrameType::kProbeRequest, address->second.mac, body);
    anybody = true;
  }
  if (!anybody) transmit(order.link, wire::FrameType::kProbeRequest, wire::kBroadcast, body);
}

void HaFrames::transmit(core::LinkIndex index, wire::FrameType type, const MacAddress& to,
                        std::span<const uint8_t> body) {
  const auto open = open_.find(index);
  if (open == open_.end()) return;
  const wire::FrameHead head{.destination = to,
                             .source = facts_.at(index).mac,
                             .type = type,
                             .cluster = identity_->cluster,
                             .link = index,
                             .unit = identity_->unit,
                             .epoch = boot_epoch_,
                             .counter = ++open->second.counter};
  ++(open->second.socket.send(wire::encode_frame(head, body)) ? view_.frames_sent : view_.send_errors);
}

void HaFrames::receive(core::LinkIndex index) {
  const auto open = open_.find(index);
  if (open == open_.end()) return;
  open->second.socket.receive(kFramesPerTurn,
                              [this, index](std::span<const uint8_t> bytes) { on_frame(index, bytes); });
  handlers_.turn_ended();
}

void HaFrames::on_frame(core::LinkIndex index, std::span<const uint8_t> bytes) {
  if (!identity_) return;
  const auto frame = wire::parse_frame(bytes);
  if (!frame) return count(frame.error());
  const wire::FrameHead& head = frame->head;
  if (head.cluster != identity_->cluster) return count(wire::Drop::kWrongCluster);
  if (head.unit == identity_->unit) {
    return count(head.epoch == boot_epoch_ ? wire::Drop::kOwnEcho : wire::Drop::kDuplicateUnit);
  }
  if (head.protection != wire::Protection::kNone) return count(wire::Drop::kProtected);
  switch (head.type) {
    case wire::FrameType::kHeartbeat:
      return on_heartbeat(index, *frame);
    case wire::FrameType::kProbeRequest:
      return on_probe_request(index, *frame);
    case wire::FrameType::kProbeAnswer:
      return on_probe_answer(index, *frame);
    default:
      return;
  }
}

void HaFrames::on_heartbeat(core::LinkIndex index, const wire::FrameView& frame) {
  const auto body = wire::decode_heartbeat(frame.head, frame.body);
  if (!body) return count(wire::Drop::kMalformed);
  ++view_.frames_received;
  const bool news = remember(index, frame.head, *body);
  handlers_.heartbeat(index, frame.head.link, body->heartbeat);
  if (news) handlers_.peers_changed();
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

void HaFrames::on_probe_request(core::LinkIndex index, const wire::FrameView& frame) {
  const auto body = wire::decode_probe(frame.body);
  if (!body) return count(wire::Drop::kMalformed);
  ++view_.frames_received;
  transmit(index, wire::FrameType::kProbeAnswer, frame.head.source, wire::encode(*body));
}

void HaFrames::on_probe_answer(core::LinkIndex index, const wire::FrameView& frame) {
  const auto body = wire::decode_probe(frame.body);
  if (!body) return count(wire::Drop::kMalformed);
  ++view_.frames_received;
  if (body->asker == identity_->unit) handlers_.probe_answer(index, body->id);
}

}  // namespace nsrp::daemon
