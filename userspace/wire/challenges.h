// SPDX-License-Identifier: Apache-2.0
// The challenges this member has asked and not got an answer to, and how often it answers those of others. Both are
// bounded in number and rate. Only authentic frames get here, so only recorded ones can use the places up; a table that
// is full gives the place of the one that has waited longest.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "wire/bodies.h"

namespace nsrp::wire {

using RandomBytes = std::function<void(std::span<uint8_t>)>;

class Challenges {
 public:
  static constexpr size_t kMost = 256;
  static constexpr seconds kValid{1};        // how long an answer may take
  static constexpr milliseconds kPause{20};  // between challenges of the same, and between answers to the same

  struct Whom {
    UnitId unit;
    uint64_t epoch;
    core::LinkIndex theirs, ours;
    bool operator==(const Whom&) const = default;
  };

  explicit Challenges(RandomBytes random) : random_(std::move(random)) {}

  // The nonce to send; nullopt: one has just gone.
  std::optional<Nonce> ask(Instant now, const Whom& whom);
  // True once for the right answer in time.
  bool answered(Instant now, const Whom& whom, const Nonce& nonce);
  // Whether this one's challenge is to be answered now.
  bool may_answer(Instant now, const Whom& asker);
  void clear();

 private:
  struct Asked {
    Whom whom;
    Nonce nonce;
    Instant first, latest;
  };
  struct Answered {
    Whom whom;
    Instant latest;
  };
  RandomBytes random_;
  std::vector<Asked> asked_;  // oldest first
  std::vector<Answered> answers_;
};

}  // namespace nsrp::wire
