// SPDX-License-Identifier: Apache-2.0
// What a Member shows of itself.
#include "core/member_impl.h"

namespace nsrp::core {

std::vector<VsdView> Member::vsds() const {
  std::vector<VsdView> views;
  for (const auto& [id, v] : impl_->vsds) {
    const uint64_t term = v.state == VsdState::kMaster ? v.term : v.seen;
    views.push_back({v.settings, v.state, term, v.since, v.cause});
  }
  return views;
}

std::vector<PeerView> Member::peers() const {
  std::vector<PeerView> views;
  for (const auto& [unit, peer] : impl_->peers) {
    PeerView view{unit, peer.alive, peer.silence.heard, peer.heartbeats, peer.missed, {}, Duration(0), peer.last};
    for (const auto& [link, silence] : peer.links) view.links[link] = {silence.heard, 0, 0, Duration(0), true};
    views.push_back(std::move(view));
  }
  return views;
}

std::map<LinkIndex, LinkView> Member::links() const {
  std::map<LinkIndex, LinkView> views;
  for (const auto& [index, link] : impl_->links) views[index] = {link.facts, link.alive, {}, 0, 0, 0};
  return views;
}

std::optional<LinkIndex> Member::control_link() const {
  return impl_->control;
}
std::optional<LinkIndex> Member::data_link() const {
  return impl_->data;
}

}  // namespace nsrp::core
