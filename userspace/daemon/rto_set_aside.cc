// SPDX-License-Identifier: Apache-2.0
#include "daemon/rto_set_aside.h"

namespace nsrp::daemon {

bool RtoSetAside::add(const rto::Session& session) {
  if (sessions_.size() >= kMost && !sessions_.contains(session.key)) return false;
  sessions_[session.key] = session;
  return true;
}

void RtoSetAside::forget(std::span<const nsrp_tuple> keys) {
  if (sessions_.empty()) return;
  for (const nsrp_tuple& key : keys) sessions_.erase(key);
}

void RtoSetAside::forget_if(const std::function<bool(const rto::Session&)>& gone) {
  std::erase_if(sessions_, [&](const auto& each) { return gone(each.second); });
}

void RtoSetAside::append_to(std::vector<rto::Session>& sessions) const {
  for (const auto& [key, session] : sessions_) sessions.push_back(session);
}

std::vector<rto::Session> RtoSetAside::take_due(Instant now) {
  std::vector<rto::Session> due;
  if (sessions_.empty() || now < next_) return due;
  next_ = now + kPause;
  append_to(due);
  return due;
}

}  // namespace nsrp::daemon
