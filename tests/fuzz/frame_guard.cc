// SPDX-License-Identifier: Apache-2.0
// The gate of the links under attack: bytes as they are, and frames of a member that holds the password, changed, held
// back, repeated and sent on other links. Whatever comes, nothing is let in but what that member has sealed, once.
//
// The input is a list of steps: a byte that says what to do, one that says on which link, and the bytes it is about.
#include <algorithm>
#include <cstdlib>
#include <set>

#include "wire/frame_guard.h"

namespace {

using namespace nsrp;
using namespace nsrp::wire;

constexpr UnitId kUs{0xa1}, kMember{0xb1};
constexpr size_t kMostSteps = 64;

const KeyRing::Key& keys() {
  static const KeyRing::Key derived = derive_keys("one", "two", ClusterId{1}).value();
  return derived;
}

struct Box {
  Box(UnitId unit, uint64_t epoch)
      : guard(epoch, [this](std::span<uint8_t> out) { std::fill(out.begin(), out.end(), ++noise); }) {
    guard.join(unit, ClusterId{1});
    guard.keys().set(Instant{}, keys());
  }
  uint8_t noise = 0;
  FrameGuard guard;
};

struct Steps {
  std::span<const uint8_t> left;

  uint8_t byte() {
    if (left.empty()) return 0;
    const uint8_t first = left.front();
    left = left.subspan(1);
    return first;
  }
  ByteView some() {
    const size_t size = std::min<size_t>(byte() * 4U, left.size());
    const ByteView taken = left.first(size);
    left = left.subspan(size);
    return taken;
  }
};

class Attack {
 public:
  void run(Steps steps) {
    for (size_t n = 0; n < kMostSteps && !steps.left.empty(); ++n) step(steps);
  }

 private:
  void step(Steps& steps) {
    const uint8_t what = steps.byte();
    const core::LinkIndex link{static_cast<uint8_t>(what >> 4 & 3)};
    switch (what & 3) {
      case 0: {  // bytes of nobody
        const ByteView raw = steps.some();
        return arrive(link, Bytes(raw.begin(), raw.end()));
      }
      case 1: {  // the member says something
        const ByteView body = steps.some();
        sealed_.push_back(member_.guard.seal(head(FrameType::kHeartbeat, link), body));
        return arrive(link, sealed_.back());
      }
      case 2: {  // something it said, once more, maybe on another link
        if (!sealed_.empty()) arrive(link, sealed_.at(steps.byte() % sealed_.size()));
        return;
      }
      default: {  // the same with a byte changed
        if (sealed_.empty()) return;
        Bytes frame = sealed_.at(steps.byte() % sealed_.size());
        const size_t at = (steps.byte() * 256U + steps.byte()) % frame.size();
        frame.at(at) = static_cast<uint8_t>(frame.at(at) ^ std::max<uint8_t>(steps.byte(), 1));
        return arrive(link, std::move(frame));
      }
    }
  }

  FrameHead head(FrameType type, core::LinkIndex link) const {
    FrameHead made;
    made.type = type;
    made.link = link;
    return made;
  }

  // At us; what we answer goes to the member, and its answer comes back.
  void arrive(core::LinkIndex link, Bytes bytes) {
    now_ += milliseconds(10);
    const Verdict verdict = us_.guard.open(now_, link, bytes);
    if (verdict.frame && verdict.drop) std::abort();
    if (verdict.frame) {
      const bool said = std::find(sealed_.begin(), sealed_.end(), bytes) != sealed_.end();
      if (!said || !let_in_.insert(bytes).second) std::abort();
    }
    if (!verdict.reply) return;
    const Bytes question = us_.guard.seal(head(verdict.reply->type, link), *verdict.reply);
    const Verdict asked = member_.guard.open(now_, link, question);
    if (!asked.reply) return;
    const Bytes answer = member_.guard.seal(head(asked.reply->type, link), *asked.reply);
    if (us_.guard.open(now_, link, answer).frame) std::abort();  // challenges are not for others
  }

  Box us_{kUs, 1}, member_{kMember, 2};
  Instant now_{seconds(1)};
  std::vector<Bytes> sealed_;
  std::set<Bytes> let_in_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Attack().run({{data, size}});
  return 0;
}
