// SPDX-License-Identifier: Apache-2.0
// Changes of sessions that wait for room on the channel, one per session, in the order in which sessions began to wait.
// A later change of the same session replaces the one that waits. An end beats a put that waits; a put after an end is
// a new session under an old name, which may have another NAT, so both are sent, the end first.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "rto/codec.h"
#include "rto/tuple.h"

namespace nsrp::rto {

class Outbox {
 public:
  struct Batch {  // ends go out before puts
    std::vector<EndedSession> ends;
    std::vector<Session> puts;
  };

  void put(const Session& session);
  void end(const EndedSession& ended);

  // The oldest changes whose messages fit into `bytes`.
  Batch take(size_t bytes);
  void clear();

  bool contains(const nsrp_tuple& key) const { return changes_.contains(key); }
  size_t size() const { return order_.size(); }
  bool empty() const { return order_.empty(); }
  // A mark behind everything that waits now; passed once all of that was taken.
  uint64_t mark() const { return taken_ + order_.size(); }
  bool passed(uint64_t mark) const { return taken_ >= mark; }

 private:
  struct Change {
    std::optional<VsdId> ended;
    std::optional<Session> put;
  };
  Change& change_of(const nsrp_tuple& key);

  std::unordered_map<nsrp_tuple, Change, TupleHash, TupleEqual> changes_;
  std::deque<nsrp_tuple> order_;
  uint64_t taken_ = 0;
};

}  // namespace nsrp::rto
