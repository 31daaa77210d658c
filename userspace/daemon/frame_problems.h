// SPDX-License-Identifier: Apache-2.0
// What is wrong with the frames that are dropped, in words: one entry for each sender and cause, from the second such
// frame half a second after the first until none has come for ten seconds. A single stray frame is only counted.
#pragma once

#include <string>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "wire/frame.h"

namespace nsrp::daemon {

struct FrameProblem {
  wire::Drop cause{};
  std::string who;   // the unit the frames say they are from; the MAC address when they say none that counts
  std::string text;  // for the operator
  Instant first, last;
  uint64_t count = 0;
};

class FrameProblems {
 public:
  // Of senders that are invented the oldest give way: they cannot hide one that keeps sending.
  static constexpr size_t kMost = 16;
  static constexpr milliseconds kBegins{500};
  static constexpr seconds kEnds{10};

  struct Ours {
    ClusterId cluster;
    std::string ifname;  // where the frame came in
  };
  void add(Instant now, wire::Drop cause, wire::ByteView frame, const Ours& ours);
  void expire(Instant now);
  void clear() { entries_.clear(); }

  std::vector<FrameProblem> standing() const;

 private:
  struct Entry {
    uint64_t from;  // a unit id or a MAC address as a number
    FrameProblem problem;
    bool stands() const { return problem.last - problem.first >= kBegins; }
  };
  std::vector<Entry> entries_;
};

}  // namespace nsrp::daemon
