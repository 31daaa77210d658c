// SPDX-License-Identifier: Apache-2.0
// Which keys this member holds, and which it sends with while the passwords are being changed on one member after the
// other. Each heartbeat says the newest key its sender holds. So
//  * a member sends with the key it has used so far until every living peer holds another one that this member holds
//  too;
//  * it takes the older keys until every living peer sends with the newest.
// "No password" is a key like any other here: nullptr, with id 0.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "wire/keys.h"

namespace nsrp::wire {

class KeyRing {
 public:
  static constexpr size_t kMost = 4;  // changes that are on their way at the same time
  static constexpr size_t kMostPeers = 16;

  using Key = std::shared_ptr<const Keys>;
  static uint32_t id_of(const Key& key) { return key ? key->id() : 0; }

  // The first one is there from the beginning; nobody has to be waited for.
  void set(Instant now, Key newest);
  // Nobody is waited for any more: this member is in another cluster now.
  void forget_peers();

  const Key& sending() const { return held_[sending_]; }
  const Key& newest() const { return held_.back(); }
  const Key* find(uint32_t id) const;  // nullptr: not held
  bool changing() const { return held_.size() > 1; }
  // During a change: who does not send with the newest key yet.
  std::vector<UnitId> waiting_for(Instant now) const;

  // An authentic heartbeat that was protected with `used`. `patience`: how long the sender may be silent and lives.
  void on_heartbeat(Instant now, UnitId unit, uint32_t used, uint32_t newest, Duration patience);
  void on_time(Instant now);

 private:
  struct Peer {
    uint32_t used, newest;
    Instant lives_until;
  };
  void settle(Instant now);

  std::vector<Key> held_{nullptr};  // newest last
  size_t sending_ = 0;
  bool begun_ = false;
  std::map<UnitId, Peer> peers_;
};

}  // namespace nsrp::wire
