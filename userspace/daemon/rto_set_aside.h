// SPDX-License-Identifier: Apache-2.0
// Sessions of the peer that conntrack refused for good: their tuple belongs to another flow here, or this kernel cannot
// have them. A copy without one of them is as complete as it will get, so they are counted and told of, tried again now
// and then, and do not keep the device out of sync; unless they are many, which is no accident any more.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "rto/codec.h"
#include "rto/tuple.h"

namespace nsrp::daemon {

class RtoSetAside {
 public:
  static constexpr size_t kMost = 256;
  static constexpr seconds kPause{10};  // between attempts at all of them

  // False: there are too many already.
  bool add(const rto::Session& session);
  size_t size() const { return sessions_.size(); }
  void forget(std::span<const nsrp_tuple> keys);
  void forget_if(const std::function<bool(const rto::Session&)>& gone);
  void append_to(std::vector<rto::Session>& sessions) const;
  // When it is time to try again: all of them.
  std::vector<rto::Session> take_due(Instant now);

 private:
  std::unordered_map<nsrp_tuple, rto::Session, rto::TupleHash, rto::TupleEqual> sessions_;
  Instant next_;
};

}  // namespace nsrp::daemon
