// SPDX-License-Identifier: Apache-2.0
#include "wire/frame_guard.h"

#include <algorithm>
#include <utility>

namespace nsrp::wire {

namespace {

Verdict dropped(Drop why) {
  return {.frame = std::nullopt, .reply = std::nullopt, .drop = why};
}

}  // namespace

FrameGuard::FrameGuard(uint64_t boot_epoch, RandomBytes random)
    : boot_epoch_(boot_epoch), challenges_(std::move(random)) {}

void FrameGuard::join(UnitId unit, ClusterId cluster) {
  if (unit == unit_ && cluster == cluster_) return;
  unit_ = unit;
  cluster_ = cluster;
  peers_.clear();
  own_ciphers_.clear();
  challenges_.clear();
  keys_.forget_peers();
}

Bytes FrameGuard::seal(FrameHead head, ByteView body) {
  return seal_with(keys_.sending(), head, body);
}

Bytes FrameGuard::seal(FrameHead head, const Reply& reply) {
  head.type = reply.type;
  head.destination = reply.to;
  const KeyRing::Key* keys = keys_.find(reply.key_id);
  return seal_with(keys ? *keys : keys_.sending(), head, reply.body);
}

Bytes FrameGuard::seal_with(const KeyRing::Key& keys, FrameHead head, ByteView body) {
  head.cluster = cluster_;
  head.unit = unit_;
  head.epoch = boot_epoch_;
  head.counter = ++counters_[head.link];
  head.key_id = KeyRing::id_of(keys);
  head.protection = keys ? keys->protection() : Protection::kNone;
  Bytes frame = encode_frame(head, body);
  if (!keys) return frame;
  const Sender self{head.key_id, head.link};
  auto cipher = own_ciphers_.find(self);
  if (cipher == own_ciphers_.end()) {
    std::erase_if(own_ciphers_, [this](const auto& each) { return !keys_.find(each.first.key_id); });
    cipher = own_ciphers_.emplace(self, Aead(keys->frame_key(unit_, head.link, boot_epoch_))).first;
  }
  cipher->second.seal(frame, head);
  return frame;
}

// What can be told without cryptography, the cheapest first.
std::optional<Drop> FrameGuard::foreign(const FrameView& frame) const {
  const FrameHead& head = frame.head;
  if (head.cluster != cluster_) return Drop::kWrongCluster;
  if (head.unit == unit_ && head.epoch == boot_epoch_) return Drop::kOwnEcho;
  const KeyRing::Key* keys = keys_.find(head.key_id);
  if (!keys && head.key_id == 0) return Drop::kUnprotected;
  if (!keys && !keys_.changing() && !keys_.newest()) return Drop::kProtected;
  if (!keys || (*keys && (*keys)->protection() != head.protection)) return Drop::kUnknownKey;
  return std::nullopt;
}

Verdict FrameGuard::open(Instant now, core::LinkIndex link, ByteView bytes) {
  const auto frame = parse_frame(bytes);
  if (!frame) return dropped(frame.error());
  if (const auto why = foreign(*frame)) return dropped(*why);
  const FrameHead& head = frame->head;
  const KeyRing::Key keys = *keys_.find(head.key_id);
  if (!keys) {
    if (head.unit == unit_) return dropped(Drop::kDuplicateUnit);
    return {OpenedFrame{head, Bytes(frame->body.begin(), frame->body.end())}, {}, {}};
  }
  const Pair pair{head.link, link};
  Peer* peer = known(head);
  if (peer) {
    const auto window = peer->windows.find(pair);
    if (window != peer->windows.end() && !window->second.fresh(head.counter)) return dropped(Drop::kReplay);
  }
  std::optional<Bytes> body = decrypt(*frame, peer, *keys);
  if (!body) return dropped(Drop::kBadTag);
  if (head.unit == unit_) return dropped(Drop::kDuplicateUnit);
  return admit(now, pair, *frame, std::move(*body));
}

// Keys of senders that are not known are made for this frame alone: inventing epochs costs the inventor's time, and no
// memory here.
std::optional<Bytes> FrameGuard::decrypt(const FrameView& frame, Peer* peer, const Keys& keys) const {
  const FrameHead& head = frame.head;
  if (!peer) return Aead(keys.frame_key(head.unit, head.link, head.epoch)).open(frame);
  const Sender sender{head.key_id, head.link};
  auto cipher = peer->ciphers.find(sender);
  if (cipher == peer->ciphers.end()) {
    std::erase_if(peer->ciphers, [this](const auto& each) { return !keys_.find(each.first.key_id); });
    cipher = peer->ciphers.emplace(sender, Aead(keys.frame_key(head.unit, head.link, head.epoch))).first;
  }
  return cipher->second.open(frame);
}

// An authentic frame: is its sender known to be there now?
Verdict FrameGuard::admit(Instant now, const Pair& pair, const FrameView& frame, Bytes body) {
  const FrameHead& head = frame.head;
  if (head.type == FrameType::kChallengeAnswer) return on_challenge_answer(now, pair, head, body);
  Peer* peer = known(head);
  const auto window = peer ? peer->windows.find(pair) : decltype(peer->windows.end()){};
  const bool admitted = peer && window != peer->windows.end();
  if (admitted) {
    window->second.mark(head.counter);
    peer->heard = now;
  }
  // Who does not know us yet is not known to us either as a rule: somebody has to answer first, and an answer to an old
  // challenge is worth nothing to anybody.
  if (head.type == FrameType::kChallenge) return on_challenge(now, pair, head, body);
  if (!admitted) return challenge(now, pair, head, peer ? Drop::kWrongLink : Drop::kStaleEpoch);
  return {OpenedFrame{head, std::move(body)}, {}, {}};
}

Verdict FrameGuard::challenge(Instant now, const Pair& pair, const FrameHead& head, Drop why) {
  Verdict verdict = dropped(why);
  if (const auto nonce = challenges_.ask(now, {head.unit, head.epoch, pair.theirs, pair.ours})) {
    verdict.reply =
        Reply{FrameType::kChallenge, head.source, encode(ChallengeBody{head.unit, head.epoch, *nonce}), head.key_id};
  }
  return verdict;
}

Verdict FrameGuard::on_challenge(Instant now, const Pair& pair, const FrameHead& head, ByteView bytes) {
  const auto body = decode_challenge(bytes);
  if (!body) return dropped(Drop::kMalformed);
  if (body->asked != unit_ || body->epoch != boot_epoch_) return dropped(Drop::kReplay);  // of before our last start
  if (!challenges_.may_answer(now, {head.unit, head.epoch, pair.theirs, pair.ours}))
    return dropped(Drop::kFloodLimited);
  Verdict verdict;
  verdict.reply =
      Reply{FrameType::kChallengeAnswer, head.source, encode(ChallengeAnswerBody{head.unit, body->nonce}), head.key_id};
  return verdict;
}

Verdict FrameGuard::on_challenge_answer(Instant now, const Pair& pair, const FrameHead& head, ByteView bytes) {
  const auto body = decode_challenge_answer(bytes);
  if (!body) return dropped(Drop::kMalformed);
  const bool right =
      body->asker == unit_ && challenges_.answered(now, {head.unit, head.epoch, pair.theirs, pair.ours}, body->nonce);
  if (!right) return dropped(Drop::kReplay);  // nobody asked for it, or nobody does any more
  remember(now, head).windows.insert_or_assign(pair, ReplayWindow(head.counter));
  return {};
}

FrameGuard::Peer* FrameGuard::known(const FrameHead& head) {
  const auto found = peers_.find(head.unit);
  return found != peers_.end() && found->second.epoch == head.epoch ? &found->second : nullptr;
}

FrameGuard::Peer& FrameGuard::remember(Instant now, const FrameHead& head) {
  if (!peers_.contains(head.unit) && peers_.size() >= kMostPeers) {
    peers_.erase(std::min_element(peers_.begin(), peers_.end(), [](const auto& one, const auto& other) {
      return one.second.heard < other.second.heard;
    }));
  }
  Peer& peer = peers_[head.unit];
  if (peer.epoch != head.epoch) peer = {};
  peer.epoch = head.epoch;
  peer.heard = now;
  return peer;
}

}  // namespace nsrp::wire
