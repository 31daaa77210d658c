// SPDX-License-Identifier: Apache-2.0
#include "rto/held_packets.h"

#include <algorithm>
#include <utility>

namespace nsrp::rto {

std::string_view to_string(Release why) {
  switch (why) {
    case Release::kAcknowledged:
      return "acknowledged";
    case Release::kBehind:
      return "behind";
    case Release::kBoundPassed:
      return "bound_passed";
    case Release::kNoPeer:
      return "no_peer";
    case Release::kHandedOver:
      return "handed_over";
    case Release::kNoRoom:
      return "no_room";
  }
  return "";
}

void HeldPackets::hold(HeldPacket packet) {
  const VsdId vsd{packet.about.vsd};
  ++last_number_;
  if (packet.about.first != 0) last_first_ = last_number_;
  queues_[vsd].push_back({std::move(packet), last_number_});
  ++size_;
}

std::optional<uint64_t> HeldPackets::request() {
  if (last_first_ <= requested_through_ || requests_.size() >= kMostRequests) return std::nullopt;
  requested_through_ = last_number_;
  requests_.push_back({++last_id_, last_number_});
  return last_id_;
}

void HeldPackets::acknowledge(uint64_t id, bool by_peer) {
  uint64_t& through = by_peer ? acknowledged_through_ : abandoned_through_;
  while (!requests_.empty() && requests_.front().id <= id) {
    through = std::max(through, requests_.front().through);
    requests_.pop_front();
  }
}

Instant HeldPackets::deadline_of(VsdId vsd, const Waiting& waiting) const {
  const auto bound = bounds_.find(vsd);
  const Instant held{Duration{static_cast<int64_t>(waiting.packet.about.held_ns)}};
  return bound == bounds_.end() ? held : held + bound->second;
}

std::optional<Release> HeldPackets::reason(VsdId vsd, const Waiting& waiting, Instant now) const {
  if (waiting.packet.about.first == 0) return Release::kBehind;
  if (waiting.number <= acknowledged_through_) return Release::kAcknowledged;
  if (given_up_.contains(vsd)) return Release::kHandedOver;
  if (waiting.number <= abandoned_through_) return Release::kNoPeer;
  if (now >= deadline_of(vsd, waiting)) return Release::kBoundPassed;
  if (size_ > kMostPackets) return Release::kNoRoom;
  return std::nullopt;
}

std::vector<ReleasedPacket> HeldPackets::release(Instant now) {
  std::vector<ReleasedPacket> released;
  for (auto& [vsd, queue] : queues_) {
    while (!queue.empty()) {
      const std::optional<Release> why = reason(vsd, queue.front(), now);
      if (!why) break;
      ++counts_[vsd][static_cast<size_t>(*why)];
      released.push_back({std::move(queue.front().packet), *why});
      queue.pop_front();
      --size_;
    }
  }
  given_up_ = {};
  return released;
}

// The first of each VSD is the one that waits; those behind it are due no earlier, or as soon as it has gone.
std::optional<Instant> HeldPackets::next_deadline() const {
  std::optional<Instant> next;
  for (const auto& [vsd, queue] : queues_) {
    if (queue.empty()) continue;
    const Instant due = deadline_of(vsd, queue.front());
    if (!next || due < *next) next = due;
  }
  return next;
}

}  // namespace nsrp::rto
