// SPDX-License-Identifier: Apache-2.0
#include "rto/digest.h"

#include <bit>

#include "rto/tuple.h"

namespace nsrp::rto {
namespace {

// Of conntrack's status bits only these are told (IPS_SEEN_REPLY, IPS_ASSURED): the kernel takes no other from outside.
constexpr uint32_t kToldStatus = 1u << 1 | 1u << 2;

uint64_t mix(uint64_t hash, uint64_t word) {
  return std::rotl((hash ^ word) * 0xff51afd7ed558ccdu, 29);
}

uint64_t finish(uint64_t hash) {
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53u;
  return hash ^ (hash >> 29);
}

uint64_t big_endian(const uint8_t* bytes) {
  uint64_t word = 0;
  for (size_t i = 0; i < sizeof word; ++i) word = word << 8 | bytes[i];
  return word;
}

uint64_t mix(uint64_t hash, const nsrp_tuple& tuple) {
  const TupleBytes bytes = to_bytes(tuple);
  for (size_t i = 0; i < bytes.size(); i += sizeof hash) hash = mix(hash, big_endian(bytes.data() + i));
  return hash;
}

}  // namespace

uint64_t hash_of(const nsrp_tuple& key) {
  return finish(mix(0x9e3779b97f4a7c15u, key));
}

uint64_t digest_of(const Session& session) {
  const nsrp_session& record = session.session;
  uint64_t hash = mix(mix(0x2545f4914f6cdd1du, session.key), record.reply);
  hash = mix(hash, uint64_t{record.ct_status & kToldStatus} << 32 | record.ct_mark);
  hash = mix(hash, uint64_t{record.tcp_state} << 8 | record.vsd);
  return finish(hash);
}

}  // namespace nsrp::rto
