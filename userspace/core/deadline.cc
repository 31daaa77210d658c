// SPDX-License-Identifier: Apache-2.0
// When something happens next without an event from outside. Every timer that has passed was dealt with by the event
// that passed it, so only the future counts.
#include <algorithm>

#include "core/member_impl.h"

namespace nsrp::core {

namespace {

class Earliest {
 public:
  explicit Earliest(Instant now) : now_(now) {}
  void consider(Instant t) {
    if (t > now_) at_ = std::min(at_, t);
  }
  void consider(const std::optional<Instant>& t) {
    if (t) consider(*t);
  }
  Instant at() const { return at_; }

 private:
  Instant now_;
  Instant at_ = Instant::max();
};

void consider_vsd(Earliest& next, const Vsd& v) {
  next.consider(v.listen_until);
  next.consider(v.doubt_until);
  next.consider(v.insist_until);
  next.consider(v.hold_until);
  if (v.state == VsdState::kMaster) next.consider(v.lease.until);
  if (v.announces_left > 0) next.consider(v.next_announce);
  if (v.handover) {
    next.consider(v.handover->limit);
    next.consider(v.handover->answer_limit);
  }
  next.consider(v.succession_until);
  if (v.last_word) next.consider(v.last_word->until);
  if (v.handed_to != UnitId{}) next.consider(v.yield_until);
  if (v.preempt_since) next.consider(*v.preempt_since + v.settings.hold_down);
  for (const auto& [unit, until] : v.waits) next.consider(until);
}

}  // namespace

Instant Member::Impl::next_deadline() const {
  if (!started || gone) return Instant::max();
  Earliest next(now);
  next.consider(next_heartbeat);
  next.consider(stand_from);
  if (catching_up) next.consider(catching_up->until);
  if (former_pace) next.consider(former_pace->until);
  for (const auto& [unit, peer] : peers) {
    if (peer.alive) {
      next.consider(death_of(peer));
      next.consider(peer.silence.from + dead_after(peer));
      next.consider(next_nudge(peer));
    }
    for (const auto& [link, on_link] : peer.links) {
      next.consider(on_link.silence.from + dead_after(peer));
      next.consider(on_link.silence.from + nudge_after(peer));
    }
  }
  for (const auto& [index, link] : links) {
    next.consider(next_probe(index, link));
    if (link.probing.command) next.consider(link.probing.command->next);
  }
  for (const auto& [id, v] : vsds) consider_vsd(next, v);
  return next.at();
}

}  // namespace nsrp::core
