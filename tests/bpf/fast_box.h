// SPDX-License-Identifier: Apache-2.0
// A box whose fast path is on, and permits put into its map by hand; fastpath_permit_test.cc shows how they come there.
//
//   FastBox box;
//   const Direction direction = udp_through_source_nat();
//   box.permit(direction);
//   check_goes_fast(box, direction.before().build(), direction.after().build());
#pragma once

#include <netinet/in.h>

#include <string_view>

#include "test_box.h"

namespace nsrp::test {

inline constexpr std::string_view kNextHop = "00:0d:00:00:00:09";

// One direction: how it comes in and how it leaves.
struct Direction {
  uint8_t protocol = IPPROTO_UDP;
  std::string_view source = "10.1.1.99", destination = "10.2.0.9";
  uint16_t source_port = 4000, destination_port = 53;
  std::string_view new_source = "10.2.0.1", new_destination = "10.2.0.9";  // source NAT
  uint16_t new_source_port = 61000, new_destination_port = 53;

  bool v6() const { return ip(source).family == Family::kIpv6; }
  nsrp_tuple incoming() const { return flow_tuple(protocol, source, source_port, destination, destination_port); }
  PacketBuilder packet(PacketBuilder frame, bool after, uint8_t hops, uint8_t tcp_flags) const;
  PacketBuilder before(uint8_t hops = 64, uint8_t tcp_flags = 0x10) const;
  PacketBuilder after(uint8_t hops = 63) const;
};

Direction udp_through_source_nat();
Direction udp_answer();
Direction with_protocol(Direction direction, uint8_t protocol);
Direction over_ipv6();
Direction without_nat(Direction direction);

struct FastBox : TestBox {
  FastBox() {
    become_master();
    allow_fast_path();
  }

  nsrp_fast_flow permitted(const Direction& direction);
  void permit(const Direction& direction) { put_fast_flow(direction.incoming(), permitted(direction)); }
  void change_ruleset();

  // The generation of a data path whose fast path has been set once.
  uint32_t generation_ = 1;
};

void check_goes_fast(FastBox& box, const Bytes& frame, const Bytes& expected);
// Left to the stack untouched, and counted as said.
void check_stays(FastBox& box, const Bytes& frame, const Counted& expected);

}  // namespace nsrp::test
