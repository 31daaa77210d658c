// SPDX-License-Identifier: Apache-2.0
// Sessions for tests, told apart by a number.
#pragma once

#include <cstring>

#include "rto/codec.h"
#include "rto/tuple.h"

namespace nsrp::rto::test {

inline nsrp_tuple tuple(uint32_t number) {
  nsrp_tuple t{};
  t.family = NSRP_IPV4;
  t.proto = 6;
  t.saddr[0] = 10;
  std::memcpy(t.saddr + 1, &number, 3);
  t.daddr[0] = 192;
  t.sport = static_cast<uint16_t>(number);
  t.dport = 80;
  return t;
}

inline Session session(uint32_t number, uint8_t vsd = 0, uint32_t generation = 1) {
  Session s{};
  s.key = tuple(number);
  s.session.reply = tuple(number);
  s.session.reply.dport = 4242;
  s.session.generation = generation;
  s.session.timeout_s = 100 + generation;
  s.session.ct_status = 0x1ce;
  s.session.tcp_state = 3;
  s.session.vsd = vsd;
  return s;
}

inline bool same(const nsrp_tuple& a, const nsrp_tuple& b) {
  return TupleEqual{}(a, b);
}
inline bool same(const Session& a, const Session& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

}  // namespace nsrp::rto::test
