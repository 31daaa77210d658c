// SPDX-License-Identifier: Apache-2.0
#include "rto/audit.h"

#include <bit>
#include <utility>

namespace nsrp::rto {
namespace {

constexpr unsigned kFewestBits = 4;
constexpr uint64_t kSessionsPerBucket = 16;

unsigned bits_for(uint64_t sessions) {
  const auto wanted = static_cast<unsigned>(std::bit_width(sessions / kSessionsPerBucket));
  return std::clamp(wanted, kFewestBits, kMaxBucketBits);
}

}  // namespace

void AuditSource::schedule(Instant now) {
  phase_ = Phase::kWaiting;
  at_ = now + interval_;
  digest_.reset();
}

void AuditSource::give_up() {
  if (phase_ != Phase::kStopped) schedule(Instant{});  // long ago
}

void AuditSource::stop() {
  phase_ = Phase::kStopped;
  digest_.reset();
  view_.oldest.reset();
}

Instant AuditSource::deadline() const {
  switch (phase_) {
    case Phase::kWaiting:
    case Phase::kReading:
    case Phase::kSettling:
    case Phase::kTold:
      return at_;
    default:
      return Instant::max();
  }
}

AuditSource::Wish AuditSource::tick(Instant now, bool may_begin, VsdSet vsds, uint64_t sessions) {
  if (now < deadline()) return Wish::kNothing;
  switch (phase_) {
    case Phase::kWaiting:
      schedule(now);
      if (!may_begin || vsds.empty()) return Wish::kNothing;
      ++round_;
      bits_ = bits_for(std::max(sessions, sessions_));
      vsds_ = vsds;
      phase_ = Phase::kBegin;
      return Wish::kNothing;
    case Phase::kReading:
      phase_ = Phase::kAsked;
      return std::exchange(from_start_, false) ? Wish::kReadFromStart : Wish::kRead;
    case Phase::kSettling:
      phase_ = Phase::kDrained;
      return Wish::kDrain;
    case Phase::kTold:
      schedule(now);
      return Wish::kNothing;
    default:
      return Wish::kNothing;
  }
}

void AuditSource::read(Instant now, std::span<const Session> sessions, bool at_end, uint64_t mark) {
  if (phase_ == Phase::kDrained) {
    mark_ = mark;
    told_ = 0;
    phase_ = Phase::kTelling;
    return;
  }
  if (phase_ != Phase::kAsked) return;
  for (const Session& session : sessions) {
    if (!vsds_.contains(VsdId{session.session.vsd}) || !is_valid(session)) continue;
    digest_->add(session);
    ++sessions_;
  }
  reading_ = now - began_;
  phase_ = at_end ? Phase::kSettling : Phase::kReading;
  at_ = now + (at_end ? settle_ : Duration(kAuditPause));
}

bool AuditSource::wants_write(bool mark_passed) const {
  return phase_ == Phase::kBegin || (phase_ == Phase::kTelling && mark_passed);
}

bool AuditSource::write(Instant now, std::vector<uint8_t>& out, size_t room, bool mark_passed) {
  if (phase_ == Phase::kBegin) {
    if (room < kHeaderBytes + kAuditBeginBytes) return false;
    append(out, AuditBegin{round_, static_cast<uint8_t>(bits_), vsds_});
    digest_.emplace(bits_);
    sessions_ = 0;
    from_start_ = true;
    phase_ = Phase::kReading;
    at_ = began_ = now;
    return true;
  }
  if (phase_ != Phase::kTelling || !mark_passed) return false;
  const size_t head = kHeaderBytes + kAuditDigestsHeadBytes;
  if (room < head + sizeof(uint64_t)) return false;
  const std::span<const uint64_t> left = std::span(digest_->sums()).subspan(told_);
  const size_t count = std::min({left.size(), kMaxDigestsPerMessage, (room - head) / sizeof(uint64_t)});
  append(out,
         AuditDigests{
             round_, static_cast<uint32_t>(told_), {left.begin(), left.begin() + static_cast<std::ptrdiff_t>(count)}});
  told_ += count;
  if (told_ < digest_->sums().size()) return true;
  digest_.reset();
  phase_ = Phase::kTold;
  at_ = now + kPatience;
  return true;
}

bool AuditSource::has(const std::vector<uint32_t>& buckets) const {
  return std::all_of(buckets.begin(), buckets.end(), [&](uint32_t bucket) { return bucket >> bits_ == 0; });
}

bool AuditSource::take(Instant now, const AuditResult& result) {
  if (phase_ == Phase::kStopped || phase_ == Phase::kWaiting || result.round != round_) return false;
  if (result.compared > 0) {
    ++view_.rounds;
    view_.oldest = now - milliseconds(result.oldest_ms);
  }
  view_.compared += result.compared;
  view_.differing += result.differing.size();
  const Duration pause = std::max(interval_, reading_ * kShare);
  schedule(now);
  // What differs is looked at again soon after its repair.
  if (result.differing.empty()) at_ = now + pause;
  return true;
}

void AuditCopy::reset() {
  round_.reset();
  compared_at_.clear();
  since_.reset();
}

void AuditCopy::in_sync(Instant now) {
  std::fill(compared_at_.begin(), compared_at_.end(), now);
  since_ = now;
}

void AuditCopy::begin(Instant now, const AuditBegin& message) {
  round_.emplace(message);
  round_->at = now;
  resize(message.bits);
}

// A bucket that is split leaves its age to its parts; of those that are merged the older counts.
void AuditCopy::resize(unsigned bits) {
  const size_t size = size_t{1} << bits;
  std::vector<Instant> resized(size, Instant::max());
  if (compared_at_.empty()) compared_at_ = {since_.value_or(round_->at)};
  for (size_t i = 0; i < std::max(size, compared_at_.size()); ++i) {
    Instant& to = resized[i * size / std::max(size, compared_at_.size())];
    to = std::min(to, compared_at_[i * compared_at_.size() / std::max(size, compared_at_.size())]);
  }
  compared_at_ = std::move(resized);
}

void AuditCopy::touch(const nsrp_tuple& key) {
  if (round_) round_->touched.insert(bucket_of(hash_of(key), round_->begin.bits));
}

Instant AuditCopy::deadline() const {
  return round_ && !round_->asked && !round_->read_all ? round_->at : Instant::max();
}

AuditCopy::Wish AuditCopy::tick(Instant now) {
  if (now < deadline()) return Wish::kNothing;
  round_->asked = true;
  return std::exchange(round_->begun, true) ? Wish::kRead : Wish::kReadFromStart;
}

void AuditCopy::read(Instant now, std::span<const Session> sessions, bool at_end) {
  if (!round_ || !round_->asked) return;
  for (const Session& session : sessions) {
    if (round_->begin.vsds.contains(VsdId{session.session.vsd})) round_->digest.add(session);
  }
  round_->asked = false;
  round_->read_all = at_end;
  round_->at = now + kAuditPause;
}

std::string AuditCopy::take(const AuditDigests& message) {
  if (!round_ || message.round != round_->begin.round) return {};  // given up here
  std::vector<uint64_t>& peers = round_->peers;
  if (message.first != peers.size() || peers.size() + message.digests.size() > round_->digest.sums().size()) {
    return "digests of other buckets than were to come";
  }
  peers.insert(peers.end(), message.digests.begin(), message.digests.end());
  return {};
}

std::optional<AuditResult> AuditCopy::finish(Instant now) {
  if (!round_ || !round_->read_all) return std::nullopt;
  const std::vector<uint64_t>& own = round_->digest.sums();
  if (round_->peers.size() < own.size()) return std::nullopt;
  AuditResult result{round_->begin.round, 0, 0, {}};
  for (uint32_t bucket = 0; bucket < own.size(); ++bucket) {
    if (round_->touched.contains(bucket)) continue;
    if (own[bucket] != round_->peers[bucket]) {
      if (result.differing.size() < kMaxDiffering) result.differing.push_back(bucket);
      continue;
    }
    ++result.compared;
    compared_at_[bucket] = now;
  }
  result.compared += static_cast<uint32_t>(result.differing.size());
  const Instant oldest = *std::min_element(compared_at_.begin(), compared_at_.end());
  result.oldest_ms = static_cast<uint64_t>(to_ms(now - oldest));
  since_ = oldest;
  ++view_.rounds;
  view_.compared += result.compared;
  view_.differing += result.differing.size();
  round_.reset();
  return result;
}

AuditView AuditCopy::view() const {
  AuditView view = view_;
  view.oldest = since_;
  return view;
}

}  // namespace nsrp::rto
