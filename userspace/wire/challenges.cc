// SPDX-License-Identifier: Apache-2.0
#include "wire/challenges.h"

#include <algorithm>

namespace nsrp::wire {

std::optional<Nonce> Challenges::ask(Instant now, const Whom& whom) {
  std::erase_if(asked_, [now](const Asked& asked) { return now >= asked.first + kValid; });
  const auto found = std::find_if(asked_.begin(), asked_.end(), [&](const Asked& asked) { return asked.whom == whom; });
  if (found != asked_.end()) {
    if (now < found->latest + kPause) return std::nullopt;
    found->latest = now;
    return found->nonce;  // the same one: an answer that is on its way still counts
  }
  if (asked_.size() >= kMost) asked_.erase(asked_.begin());
  Asked& asked = asked_.emplace_back(Asked{whom, {}, now, now});
  random_(asked.nonce);
  return asked.nonce;
}

bool Challenges::answered(Instant now, const Whom& whom, const Nonce& nonce) {
  const auto found = std::find_if(asked_.begin(), asked_.end(), [&](const Asked& asked) {
    return asked.whom == whom && asked.nonce == nonce && now < asked.first + kValid;
  });
  if (found == asked_.end()) return false;
  asked_.erase(found);
  return true;
}

bool Challenges::may_answer(Instant now, const Whom& asker) {
  std::erase_if(answers_, [now](const Answered& answered) { return now >= answered.latest + kPause; });
  const bool just_now =
      std::any_of(answers_.begin(), answers_.end(), [&](const Answered& answered) { return answered.whom == asker; });
  if (just_now || answers_.size() >= kMost) return false;
  answers_.push_back({asker, now});
  return true;
}

void Challenges::clear() {
  asked_.clear();
  answers_.clear();
}

}  // namespace nsrp::wire
