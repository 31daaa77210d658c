// SPDX-License-Identifier: Apache-2.0
// A new master tells the network where its addresses are now (manual ch. 1, `set nsrp arp`): several times, spread out,
// because a switch that is still learning, or a burst that overflows a queue, loses the first.
#include <algorithm>

#include "core/defect.h"
#include "core/member_impl.h"

namespace nsrp::core {

namespace {
constexpr milliseconds kFirstGap{100};
constexpr milliseconds kLongestGap{1000};
}  // namespace

void Member::Impl::start_announcing(Vsd& v) {
  v.announces_left = settings.announce_count;
  v.next_announce = now;
  v.announce_gap = kFirstGap;
}

// Somebody else was master meanwhile, or may have been.
void Member::Impl::announce_again(Vsd& v) {
  if (!defect(Defect::kAnnounceAfterHeal)) start_announcing(v);
}

// A member that was out of our hearing may have been master meanwhile, and have stepped down or restarted before we
// could hear it say so. Once too often does no harm.
void Member::Impl::announce_to_returned(const Peer& peer) {
  for (auto& [id, v] : vsds) {
    if (v.state == VsdState::kMaster && peer.advert(id) != nullptr) announce_again(v);
  }
}

void Member::Impl::announce_due() {
  for (auto& [id, v] : vsds) {
    if (v.announces_left == 0 || now < v.next_announce || v.doubt_until) continue;
    out.push_back(Announce{id});
    --v.announces_left;
    v.next_announce = now + v.announce_gap;
    v.announce_gap = std::min<Duration>(v.announce_gap * 2, kLongestGap);
  }
}

}  // namespace nsrp::core
