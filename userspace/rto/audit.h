// SPDX-License-Identifier: Apache-2.0
// The audit: in rounds, the sender reads its table and tells the digests of all buckets; the receiver reads its own
// table and compares. Traffic goes on meanwhile, and nothing that is merely on its way counts as a difference.
//
// That holds by the order of messages. What changes at the sender after the round's beginning was told reaches the
// receiver after that, and before the digests, which wait for it. So a bucket of which no message spoke from the
// round's beginning until the receiver has read its table and heard all digests was the same for both all the time:
// only these are compared. The others have their turn in a later round.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/time.h"
#include "rto/codec.h"
#include "rto/digest.h"

namespace nsrp::rto {

// What audits have found so far, of the sessions of one member at the other.
struct AuditView {
  uint64_t rounds = 0, compared = 0, differing = 0, repaired = 0;  // but for the first: buckets
  std::optional<Instant> oldest;  // when the bucket was compared whose turn was longest ago; none: nothing to compare
  bool operator==(const AuditView&) const = default;
};

// The table is read for an audit at most this fast, so that other work comes in between.
inline constexpr size_t kAuditChunk = 2048;
inline constexpr milliseconds kAuditPause{1};

// The sender's half.
class AuditSource {
 public:
  // Reading takes at most this share of the time.
  static constexpr int kShare = 20;
  // A packet's change to a record may be seen before the news of it; not as long before.
  static constexpr milliseconds kSettle{50};
  static constexpr seconds kPatience{300};  // with a receiver that does not answer

  void set_pace(Duration interval, Duration settle) {
    interval_ = interval;
    settle_ = settle;
  }
  void schedule(Instant now);  // the next round, an interval from now; a round that runs is given up
  void give_up();              // a round that runs; the next one as soon as it may begin
  void stop();

  // When tick() is to be called.
  Instant deadline() const;
  enum class Wish : uint8_t { kNothing, kReadFromStart, kRead, kDrain };
  // `may_begin`: nothing else is going on, like a cold sync. `sessions`: about as many there are. kDrain: take all news
  // of changes, then read nothing.
  Wish tick(Instant now, bool may_begin, VsdSet vsds, uint64_t sessions);
  // The answer to a wish. `mark` is behind all changes known by now.
  void read(Instant now, std::span<const Session> sessions, bool at_end, uint64_t mark);

  bool wants_write(bool mark_passed) const;
  uint64_t mark() const { return mark_; }
  // Appends one message of at most `room` bytes; false: there is none, or no room.
  bool write(Instant now, std::vector<uint8_t>& out, size_t room, bool mark_passed);

  // True: of the present round; what differs is to be repaired.
  bool take(Instant now, const AuditResult& result);
  bool has(const std::vector<uint32_t>& buckets) const;
  void repaired(size_t buckets) { view_.repaired += buckets; }
  unsigned bits() const { return bits_; }
  const AuditView& view() const { return view_; }

 private:
  enum class Phase : uint8_t { kStopped, kWaiting, kBegin, kReading, kAsked, kSettling, kDrained, kTelling, kTold };

  Phase phase_ = Phase::kStopped;
  Duration interval_ = seconds(10), settle_ = kSettle;
  Instant at_, began_;
  Duration reading_{};  // how long the latest reading took
  uint32_t round_ = 0;
  unsigned bits_ = 4;
  VsdSet vsds_;
  bool from_start_ = false;
  std::optional<TableDigest> digest_;
  uint64_t sessions_ = 0;  // of the latest reading
  uint64_t mark_ = 0;
  size_t told_ = 0;  // buckets
  AuditView view_;
};

// The receiver's half.
class AuditCopy {
 public:
  // More differing buckets are found in the next rounds.
  static constexpr size_t kMaxDiffering = 1024;

  void reset();               // the connection has ended; what was found stays
  void in_sync(Instant now);  // by a cold sync: all buckets are as good as compared
  void begin(Instant now, const AuditBegin& message);
  void give_up() { round_.reset(); }
  bool running() const { return round_.has_value(); }
  uint32_t round() const { return round_->begin.round; }
  VsdSet vsds() const { return round_->begin.vsds; }

  // A message spoke of this flow.
  void touch(const nsrp_tuple& key);
  Instant deadline() const;
  enum class Wish : uint8_t { kNothing, kReadFromStart, kRead };
  Wish tick(Instant now);
  void read(Instant now, std::span<const Session> sessions, bool at_end);
  // Empty, or what is wrong with the message.
  std::string take(const AuditDigests& message);
  // When both tables have been read: what came out.
  std::optional<AuditResult> finish(Instant now);
  void repaired(size_t buckets) { view_.repaired += buckets; }
  AuditView view() const;

 private:
  struct Round {
    explicit Round(const AuditBegin& message) : begin(message), touched(message.bits), digest(message.bits), peers() {}
    AuditBegin begin;
    BucketSet touched;
    TableDigest digest;
    std::vector<uint64_t> peers;
    bool asked = false, begun = false, read_all = false;
    Instant at;
  };
  void resize(unsigned bits);

  std::optional<Round> round_;
  std::vector<Instant> compared_at_;  // of each bucket
  std::optional<Instant> since_;
  AuditView view_;
};

}  // namespace nsrp::rto
