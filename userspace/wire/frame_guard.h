// SPDX-License-Identifier: Apache-2.0
// The gate between the links and everything behind them: seals what goes out, and lets in what is of this cluster,
// authentic, new, and from a sender that is there now.
//
//   FrameGuard guard(boot_epoch, random_bytes);
//   guard.join(unit, cluster);
//   guard.set_keys(now, keys);
//   send(guard.seal(head, body));
//   Verdict verdict = guard.open(now, link, bytes);
//   if (verdict.drop) count(*verdict.drop);
//   if (verdict.reply) send_back(*verdict.reply);
//   if (verdict.frame) use(*verdict.frame);
//
// There is no clock that both sides could trust, so freshness is proven: the first authentic frame of an unknown boot
// epoch, or of a known one on a pair of links (the sender's, ours) it was not heard on, is dropped and answered by a
// challenge with a nonce. Only who answers it, under that epoch, from that link, into this one, is let in; from then on
// its counter must grow. A frame recorded earlier, or on another link, has nobody to answer for it.
//
// Without a password there are no challenges: who can send on the link can say anything anyhow.
#pragma once

#include <functional>
#include <map>
#include <optional>

#include "base/time.h"
#include "wire/aead.h"
#include "wire/bodies.h"
#include "wire/challenges.h"
#include "wire/key_ring.h"
#include "wire/replay_window.h"

namespace nsrp::wire {

struct OpenedFrame {
  FrameHead head;
  Bytes body;  // in clear
};
// To be sealed, and sent on the link the frame came in on.
struct Reply {
  FrameType type;
  MacAddress to;
  Bytes body;
  uint32_t key_id;  // protected like what it replies to: while passwords are being changed, the other may send with the
                    // new one before this member does
};
struct Verdict {
  std::optional<OpenedFrame> frame;  // heartbeats and probes; challenges are the guard's own business
  std::optional<Reply> reply;
  std::optional<Drop> drop;
};

class FrameGuard {
 public:
  static constexpr size_t kMostPeers = 16;

  FrameGuard(uint64_t boot_epoch, RandomBytes random);

  void join(UnitId unit, ClusterId cluster);
  KeyRing& keys() { return keys_; }
  const KeyRing& keys() const { return keys_; }

  // Fills in what is the guard's to say: cluster, unit, epoch, counter, key and protection.
  Bytes seal(FrameHead head, ByteView body);
  Bytes seal(FrameHead head, const Reply& reply);
  Verdict open(Instant now, core::LinkIndex link, ByteView bytes);

 private:
  struct Pair {
    core::LinkIndex theirs, ours;
    auto operator<=>(const Pair&) const = default;
  };
  struct Sender {  // of the frames that one key seals
    uint32_t key_id;
    core::LinkIndex link;
    auto operator<=>(const Sender&) const = default;
  };
  struct Peer {
    uint64_t epoch = 0;
    Instant heard;
    std::map<Pair, ReplayWindow> windows;
    std::map<Sender, Aead> ciphers;
  };

  Bytes seal_with(const KeyRing::Key& keys, FrameHead head, ByteView body);
  std::optional<Drop> foreign(const FrameView& frame) const;
  std::optional<Bytes> decrypt(const FrameView& frame, Peer* peer, const Keys& keys) const;
  Verdict admit(Instant now, const Pair& pair, const FrameView& frame, Bytes body);
  Verdict challenge(Instant now, const Pair& pair, const FrameHead& head, Drop why);
  Verdict on_challenge(Instant now, const Pair& pair, const FrameHead& head, ByteView body);
  Verdict on_challenge_answer(Instant now, const Pair& pair, const FrameHead& head, ByteView body);
  Peer* known(const FrameHead& head);
  Peer& remember(Instant now, const FrameHead& head);

  const uint64_t boot_epoch_;
  UnitId unit_;
  ClusterId cluster_;
  KeyRing keys_;
  Challenges challenges_;
  std::map<core::LinkIndex, uint64_t> counters_;  // never set back: a counter is used once under one epoch
  std::map<Sender, Aead> own_ciphers_;
  std::map<UnitId, Peer> peers_;
};

}  // namespace nsrp::wire
