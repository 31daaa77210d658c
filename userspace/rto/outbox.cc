// SPDX-License-Identifier: Apache-2.0
#include "rto/outbox.h"

namespace nsrp::rto {

Outbox::Change& Outbox::change_of(const nsrp_tuple& key) {
  const auto [found, is_new] = changes_.try_emplace(key);
  if (is_new) order_.push_back(key);
  return found->second;
}

void Outbox::put(const Session& session) {
  change_of(session.key).put = session;
}

void Outbox::end(const EndedSession& ended) {
  Change& change = change_of(ended.key);
  change.ended = ended.vsd;
  change.put.reset();
}

Outbox::Batch Outbox::take(size_t bytes) {
  Batch batch;
  size_t left = bytes < 2 * kHeaderBytes ? 0 : bytes - 2 * kHeaderBytes;
  while (!order_.empty() && batch.puts.size() < kMaxSessionsPerMessage && batch.ends.size() < kMaxSessionsPerMessage) {
    const auto found = changes_.find(order_.front());
    const Change& change = found->second;
    const size_t cost = (change.ended ? kEndedSessionBytes : 0) + (change.put ? kSessionBytes : 0);
    if (cost > left) break;
    left -= cost;
    if (change.ended) batch.ends.push_back({order_.front(), *change.ended});
    if (change.put) batch.puts.push_back(*change.put);
    changes_.erase(found);
    order_.pop_front();
    ++taken_;
  }
  return batch;
}

void Outbox::clear() {
  taken_ += order_.size();
  order_.clear();
  changes_.clear();
}

}  // namespace nsrp::rto
