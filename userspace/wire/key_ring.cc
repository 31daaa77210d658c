// SPDX-License-Identifier: Apache-2.0
#include "wire/key_ring.h"

#include <algorithm>

namespace nsrp::wire {

void KeyRing::set(Instant now, Key newest) {
  if (!begun_) {
    begun_ = true;
    held_ = {std::move(newest)};
    sending_ = 0;
    return;
  }
  const Key used = sending();
  std::erase_if(held_, [&](const Key& key) { return id_of(key) == id_of(newest) && id_of(key) != id_of(used); });
  if (id_of(used) == id_of(newest)) {
    // Back to the one that is in use: the others go when nobody sends with them any more.
    const auto place = std::find(held_.begin(), held_.end(), used);
    std::rotate(place, place + 1, held_.end());
  } else {
    held_.push_back(std::move(newest));
  }
  while (held_.size() > kMost) held_.erase(held_.front() == used ? held_.begin() + 1 : held_.begin());
  sending_ = static_cast<size_t>(std::find(held_.begin(), held_.end(), used) - held_.begin());
  settle(now);
}

void KeyRing::forget_peers() {
  peers_.clear();
  held_ = {newest()};
  sending_ = 0;
}

const KeyRing::Key* KeyRing::find(uint32_t id) const {
  const auto found = std::find_if(held_.begin(), held_.end(), [id](const Key& key) { return id_of(key) == id; });
  return found == held_.end() ? nullptr : &*found;
}

std::vector<UnitId> KeyRing::waiting_for(Instant now) const {
  std::vector<UnitId> units;
  for (const auto& [unit, peer] : peers_) {
    if (changing() && now < peer.lives_until && peer.used != id_of(newest())) units.push_back(unit);
  }
  return units;
}

void KeyRing::on_heartbeat(Instant now, UnitId unit, uint32_t used, uint32_t newest, Duration patience) {
  if (!peers_.contains(unit) && peers_.size() >= kMostPeers) {
    std::erase_if(peers_, [now](const auto& peer) { return peer.second.lives_until <= now; });
    if (peers_.size() >= kMostPeers) return;
  }
  peers_[unit] = {used, newest, now + patience};
  settle(now);
}

void KeyRing::on_time(Instant now) {
  settle(now);
}

void KeyRing::settle(Instant now) {
  if (!changing()) return;
  std::erase_if(peers_, [now](const auto& peer) { return peer.second.lives_until <= now; });
  const uint32_t target = peers_.empty() ? id_of(newest()) : peers_.begin()->second.newest;
  const bool agreed =
      std::all_of(peers_.begin(), peers_.end(), [&](const auto& peer) { return peer.second.newest == target; });
  if (const Key* key = find(target); agreed && key) sending_ = static_cast<size_t>(key - held_.data());
  const bool all_use_newest =
      std::all_of(peers_.begin(), peers_.end(), [&](const auto& peer) { return peer.second.used == id_of(newest()); });
  if (sending_ + 1 == held_.size() && all_use_newest) {
    held_ = {newest()};
    sending_ = 0;
  }
}

}  // namespace nsrp::wire
