// SPDX-License-Identifier: Apache-2.0
// Digests of a table of sessions, bucket by bucket. Two devices that hold the same sessions have the same digests, in
// whatever order they read them and whatever machines they are.
#pragma once

#include <cstdint>
#include <vector>

#include "rto/codec.h"

namespace nsrp::rto {

uint64_t hash_of(const nsrp_tuple& key);
// Over what is mirrored: both tuples, VSD, mark, TCP state, and of conntrack's status what the mirror tells of. Times,
// flags and the generation belong to a device.
uint64_t digest_of(const Session& session);

// Which of 2^bits buckets a flow belongs to.
constexpr uint32_t bucket_of(uint64_t hash, unsigned bits) {
  return bits == 0 ? 0 : static_cast<uint32_t>(hash >> (64 - bits));
}

class BucketSet {
 public:
  explicit BucketSet(unsigned bits) : bits_(bits), members_(size_t{1} << bits) {}
  unsigned bits() const { return bits_; }
  void insert(uint32_t bucket) { members_[bucket] = true; }
  bool contains(uint32_t bucket) const { return members_[bucket]; }
  bool contains(const nsrp_tuple& key) const { return members_[bucket_of(hash_of(key), bits_)]; }

 private:
  unsigned bits_;
  std::vector<bool> members_;
};

// The sum of the digests of each bucket's sessions.
class TableDigest {
 public:
  explicit TableDigest(unsigned bits) : bits_(bits), sums_(size_t{1} << bits) {}
  void add(const Session& session) { sums_[bucket_of(hash_of(session.key), bits_)] += digest_of(session); }
  const std::vector<uint64_t>& sums() const { return sums_; }

 private:
  unsigned bits_;
  std::vector<uint64_t> sums_;
};

}  // namespace nsrp::rto
