// SPDX-License-Identifier: Apache-2.0
// Acknowledgements. Each heartbeat tells which members its sender hears, and how much of its patience with them is used
// up. A master learns from it until when the others will wait for it (lease.cc), a member that a link works both ways
// (links.cc), and a member that does not hear the master, that others do.
//
// Only what a member has heard itself is taken from it: word that went round in a circle would keep the dead alive.
#include <algorithm>
#include <utility>

#include "core/member_impl.h"

namespace nsrp::core {

namespace {

uint32_t low(uint64_t number) {
  return static_cast<uint32_t>(number);
}

// Later in the same run; sequence numbers may wrap.
bool later(uint32_t a, uint32_t b) {
  return static_cast<int32_t>(a - b) > 0;
}

Duration in_microseconds(Duration d) {
  constexpr Duration kLongest = std::chrono::microseconds(0xffffffff);
  return std::chrono::duration_cast<std::chrono::microseconds>(std::clamp(d, Duration(0), kLongest));
}

const Hearing* hearing_in(const Heartbeat& heartbeat, UnitId unit) {
  const auto it =
      std::find_if(heartbeat.heard.begin(), heartbeat.heard.end(), [unit](const Hearing& h) { return h.unit == unit; });
  return it == heartbeat.heard.end() ? nullptr : &*it;
}

}  // namespace

const Hearing* Member::Impl::hearing_of_us(const Peer& peer) const {
  const Hearing* hearing = hearing_in(peer.last, settings.unit);
  return hearing != nullptr && hearing->epoch == low(boot_epoch) ? hearing : nullptr;
}

const Hearing* Member::Impl::hearing_of_former_run(const Heartbeat& heartbeat) const {
  const Hearing* hearing = hearing_in(heartbeat, settings.unit);
  return hearing != nullptr && hearing->epoch != low(boot_epoch) ? hearing : nullptr;
}

bool Member::Impl::misses_us(const Hearing& hearing) const {
  return hearing.silence >= Duration(settings.hb_interval) * 5 / 4;
}

// What a new heartbeat says of our own and of others' life.
void Member::Impl::take_hearings(Peer& peer) {
  const Hearing* hearing = hearing_of_us(peer);
  const bool complains = hearing != nullptr && misses_us(*hearing);
  if (complains && started) speak_now = true;  // what got lost is said again at once
  // Not before now could it give way to us: until then it may have told the network of itself.
  if (hearing != nullptr && !std::exchange(peer.has_heard_us, true)) announce_to_returned(peer);
  if (hearing != nullptr && !complains) {
    peer.deaf_since.reset();
  } else if (!peer.deaf_since) {
    peer.deaf_since = now;
  }
  for (const Hearing& hearing : peer.last.heard) take_relay(hearing);
}

void Member::Impl::take_relay(const Hearing& hearing) {
  if (hearing.relayed || hearing.links.none()) return;
  const auto it = peers.find(hearing.unit);
  if (it == peers.end()) return;
  Peer& peer = it->second;
  if (low(peer.last.boot_epoch) != hearing.epoch || !peer.alive) return;
  if (now < peer.silence.from + nudge_after(peer)) return;
  const Instant spoke_then = now - hearing.silence - hearing.forgiven;
  if (spoke_then <= peer.relayed_from || !later(hearing.sequence, low(peer.last.sequence))) return;
  peer.relayed_from = spoke_then;
  peer.relayed_sequence = hearing.sequence;
}

std::vector<Hearing> Member::Impl::hearings() const {
  std::vector<Hearing> all;
  for (const auto& [unit, peer] : peers) {
    if (!peer.alive || all.size() == kMaxHearings) continue;
    const bool relayed = peer.relayed_from > peer.silence.from;
    all.push_back({.unit = unit,
                   .epoch = low(peer.last.boot_epoch),
                   .sequence = relayed ? peer.relayed_sequence : low(peer.last.sequence),
                   .silence = in_microseconds(now - peer.lives_from()),
                   .forgiven = relayed ? Duration(0) : in_microseconds(peer.silence.from - peer.silence.heard),
                   .links = heard_links(peer),
                   .relayed = relayed});
  }
  return all;
}

bool Member::Impl::deaf(const Peer& peer) const {
  const Hearing* hearing = hearing_of_us(peer);
  return hearing == nullptr || hearing->silence >= dead_after(peer);
}

std::optional<Instant> Member::Impl::sent_at(uint32_t acknowledged) const {
  const auto& [number, time] = spoke_times[acknowledged % spoke_times.size()];
  if (number == 0 || low(number) != acknowledged) return std::nullopt;
  return time;
}

// The teller's own knowledge of a unit, if it is of now and newer than ours.
const Hearing* Member::Impl::fresh_hearing(const Peer& teller, UnitId unit) const {
  const Hearing* hearing = hearing_in(teller.last, unit);
  if (hearing == nullptr || hearing->relayed || hearing->links.none()) return nullptr;
  if (hearing->silence >= dead_after(teller)) return nullptr;
  const auto own = peers.find(unit);
  const bool same_run = own != peers.end() && low(own->second.last.boot_epoch) == hearing->epoch;
  if (same_run && !later(hearing->sequence, low(own->second.last.sequence))) return nullptr;
  return hearing;
}

// A master that we do not hear, but somebody whom we hear does.
UnitId Member::Impl::hearsay_master(const Vsd& v) const {
  for (const auto& [unit, peer] : peers) {
    const VsdAdvert* advert = direct(peer) ? peer.advert(v.settings.id) : nullptr;
    if (advert == nullptr || advert->follows == UnitId{} || advert->follows == settings.unit) continue;
    if (advert->term >= v.seen && fresh_hearing(peer, advert->follows) != nullptr) return advert->follows;
  }
  return {};
}

Instant Member::Impl::next_nudge(const Peer& peer) const {
  return std::max(peer.silence.from + nudge_after(peer), peer.last_nudge + Duration(peer.last.hb_interval));
}

// Before a silent member is declared dead it hears that it is missed, and answers at once.
void Member::Impl::nudge_silent_peers() {
  for (auto& [unit, peer] : peers) {
    if (!peer.alive || now < next_nudge(peer)) continue;
    peer.last_nudge = now;
    speak_now = true;
  }
}

}  // namespace nsrp::core
