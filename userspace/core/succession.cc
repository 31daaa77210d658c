// SPDX-License-Identifier: Apache-2.0
// The successor's side of a planned switch. The master asks in its heartbeats (handing_to); this member makes its data
// path take what the master passes on over the data link, answers (ready), and goes on being a backup. A master passes
// on only what it does not master: so the first such packet is proof that it has released the VSD, often a little
// before the heartbeat that says so, and from then on the data path acts as master on this device's own interfaces,
// too.
//
// Two masters cannot come of it. What is granted here ends before the old master, if it hears no more of us, stops
// yielding (release_to): it counts from a heartbeat that was sent before the release. A packet from a third member
// would prove nothing, so with three or more alive the data path waits for the heartbeat.
#include <algorithm>

#include "core/member_impl.h"

namespace nsrp::core {

// The master we follow, if it asks us to be ready and we can be. What lay in the socket while we stood still does not
// count.
const Peer* Member::Impl::hands_to_us(const Vsd& v) const {
  const bool late = catching_up && now < catching_up->until;
  if (!is_backup(v.state) || leaving || late) return nullptr;
  const Peer* master = living_master(v);
  return master != nullptr && master->advert(v.settings.id)->handing_to == settings.unit ? master : nullptr;
}

std::optional<Instant> Member::Impl::succession(const Peer& master) const {
  const Instant until = master.silence.heard + lease_length();
  if (others_alive(master.unit) || now >= until) return std::nullopt;
  return until;
}

void Member::Impl::prepare_to_succeed(Vsd& v) {
  const Peer* master = hands_to_us(v);
  v.ready = master != nullptr;
  // It has released the VSD, and something keeps us from being master at once: its packets come all the same.
  const bool named = is_backup(v.state) && named_successor(v) == settings.unit;
  if (v.succession_until && named && now < *v.succession_until) return;
  const std::optional<Instant> until = master == nullptr ? std::nullopt : succession(*master);
  const bool ran_out = v.succession_until && now >= *v.succession_until;
  if (!until || ran_out) withdraw(v);
  if (!until) return;
  if (v.succession_until != until) out.push_back(Succeed{v.settings.id, master->unit, *until});
  v.succession_until = until;
}

void Member::Impl::withdraw(Vsd& v) {
  if (v.succession_until) out.push_back(Succeed{v.settings.id, {}, {}});
  v.succession_until.reset();
}

}  // namespace nsrp::core
