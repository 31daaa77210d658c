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
    PeerView view{.unit = unit,
                  .alive = peer.alive,
                  .last_heard = peer.silence.heard,
                  .heartbeats = peer.log.heard(),
                  .missed = peer.log.missed(),
                  .links = {},
                  .jitter = peer.jitter.value(),
                  .last = peer.last};
    for (const auto& [link, on_link] : peer.links) {
      view.links[link] = {on_link.silence.heard, on_link.log.heard(), on_link.log.missed(), on_link.jitter.value(),
                          impl_->both_ways(peer, link)};
    }
    views.push_back(std::move(view));
  }
  return views;
}

std::map<LinkIndex, LinkView> Member::links() const {
  std::map<LinkIndex, LinkView> views;
  for (const auto& [index, link] : impl_->links) {
    const Probing& probing = link.probing;
    const std::string cause = impl_->why(index, link);
    views[index] = {link.facts, link.alive, cause, probing.sent, probing.answered, probing.unanswered};
  }
  return views;
}

std::optional<LinkIndex> Member::control_link() const {
  return impl_->control;
}
std::optional<LinkIndex> Member::data_link() const {
  return impl_->data;
}

}  // namespace nsrp::core
