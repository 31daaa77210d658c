// SPDX-License-Identifier: Apache-2.0
// Members that talk through their guards. A test holds every frame in its hands and delivers it, or does not.
#pragma once

#include <algorithm>
#include <cstring>

#include "example.h"
#include "wire/frame_guard.h"

namespace nsrp::test {

inline wire::KeyRing::Key make_key(int number, wire::Protection protection = wire::Protection::kEncrypted) {
  wire::SecretKey master;
  std::memset(master.data(), number, wire::SecretKey::kBytes);
  return std::make_shared<const wire::Keys>(master, protection);
}

inline constexpr core::LinkIndex kHa1{0}, kHa2{1};

struct Box {
  UnitId unit;
  uint64_t epoch;
  Instant now{seconds(1000)};
  uint8_t dice = 0;
  wire::FrameGuard guard;

  Box(UnitId id, uint64_t boot_epoch, wire::KeyRing::Key key, ClusterId cluster = kCluster)
      : unit(id),
        epoch(boot_epoch),
        guard(boot_epoch, [this](std::span<uint8_t> bytes) { std::fill(bytes.begin(), bytes.end(), ++dice); }) {
    guard.keys().set(now, std::move(key));
    guard.join(unit, cluster);
  }
  Box(const Box&) = delete;

  wire::Bytes says(core::LinkIndex link = kHa1) {
    return guard.seal(head(link, wire::FrameType::kHeartbeat), wire::encode(example_body(2, 1)));
  }
  wire::FrameHead head(core::LinkIndex link, wire::FrameType type = {}) const {
    wire::FrameHead result;
    result.source = MacAddress{{2, 0, 0, 0, link.value, static_cast<uint8_t>(unit.value)}};
    result.type = type;
    result.link = link;
    return result;
  }
  wire::Bytes seal(core::LinkIndex link, const wire::Reply& reply) { return guard.seal(head(link), reply); }
  wire::Verdict hears(const wire::Bytes& frame, core::LinkIndex link = kHa1) { return guard.open(now, link, frame); }
  std::optional<wire::Drop> drops(const wire::Bytes& frame, core::LinkIndex link = kHa1) {
    return hears(frame, link).drop;
  }
};

// `who` learns that `whom` is there, on this pair of links.
inline bool introduce(Box& who, Box& whom, core::LinkIndex theirs = kHa1, core::LinkIndex ours = kHa1) {
  const wire::Verdict stale = who.hears(whom.says(theirs), ours);
  if (!stale.reply) return false;
  const wire::Verdict asked = whom.hears(who.seal(ours, *stale.reply), theirs);
  if (!asked.reply) return false;
  const wire::Verdict answered = who.hears(whom.seal(theirs, *asked.reply), ours);
  return !answered.drop && !answered.frame && who.hears(whom.says(theirs), ours).frame.has_value();
}

}  // namespace nsrp::test
