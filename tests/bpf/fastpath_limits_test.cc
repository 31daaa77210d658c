// SPDX-License-Identifier: Apache-2.0
// Which packets XDP leaves to the stack, permit or not.
#include <doctest/doctest.h>

#include <algorithm>

#include "fast_box.h"
#include "namespaces.h"

using namespace nsrp;
using namespace nsrp::test;

namespace {

constexpr uint8_t kFin = 0x11, kSyn = 0x02, kReset = 0x14;

}  // namespace

TEST_CASE("the unusual is left to the stack, each kind with its counter") {
  FastBox box;
  const Direction udp = udp_through_source_nat(), tcp = with_protocol(udp, IPPROTO_TCP), udp6 = over_ipv6();
  for (const Direction& direction : {udp, tcp, udp6}) box.permit(direction);

  SUBCASE("a TTL or hop limit that ends here") {
    check_stays(box, udp.before(1).build(), {{"rx_own", 1}, {"fast_stack_hop_limit", 1}});
    check_stays(box, udp6.before(1).build(), {{"rx_own", 1}, {"fast_stack_hop_limit", 1}});
    check_stays(box, udp.before(0).build(), {{"rx_own", 1}, {"fast_stack_hop_limit", 1}});
  }
  SUBCASE("FIN, SYN and RST") {
    for (const uint8_t flags : {kFin, kSyn, kReset})
      check_stays(box, tcp.before(64, flags).build(), {{"rx_own", 1}, {"fast_stack_tcp_flags", 1}});
  }
  SUBCASE("IP options") {
    Bytes frame = udp.before().build();
    frame.insert(frame.begin() + 34, {1, 1, 1, 1});
    frame[14] = 0x46;
    check_stays(box, frame, {{"rx_own", 1}, {"fast_stack_options", 1}});
  }
  SUBCASE("IPv6 extension headers") {
    const Bytes rest = ports(4000, 53);
    for (const uint8_t kind : std::vector<uint8_t>{0, 43, 60}) {
      const Bytes frame = PacketBuilder()
                              .ethernet(kClientMac, kVmac)
                              .ipv6(udp6.source, udp6.destination)
                              .protocol(kind)
                              .payload(extension(IPPROTO_UDP) + rest)
                              .build();
      check_stays(box, frame, {{"rx_own", 1}, {"fast_stack_options", 1}});
    }
  }
  SUBCASE("fragments") {
    for (const bool first : {true, false})
      check_stays(box, udp.before().fragment(7, first ? 0 : 8, first).build(),
                  {{"rx_own", 1}, {"fast_stack_fragment", 1}});
    const Bytes frame6 = PacketBuilder()
                             .ethernet(kClientMac, kVmac)
                             .ipv6(udp6.source, udp6.destination)
                             .protocol(44)
                             .payload(fragment_header(IPPROTO_UDP, 7, 0, true) + ports(4000, 53))
                             .build();
    check_stays(box, frame6, {{"rx_own", 1}, {"fast_stack_fragment", 1}});
  }
  SUBCASE("longer than the link it leaves through allows") {
    check_goes_fast(box, udp.before().payload(Bytes(1472)).build(), udp.after().payload(Bytes(1472)).build());
    check_stays(box, udp.before().payload(Bytes(1473)).build(), {{"rx_own", 1}, {"fast_stack_mtu", 1}});
    check_stays(box, udp6.before().payload(Bytes(1453)).build(), {{"rx_own", 1}, {"fast_stack_mtu", 1}});
  }
  SUBCASE("come in on another interface than the session's") {
    nsrp_fast_flow elsewhere = box.permitted(udp);
    elsewhere.in_ifindex = box.other_traffic().value;
    box.put_fast_flow(udp.incoming(), elsewhere);
    check_stays(box, udp.before().build(), {{"rx_own", 1}, {"fast_stack_interface", 1}});
  }
  SUBCASE("to leave where XDP cannot send") {
    nsrp_fast_flow stuck = box.permitted(udp);
    stuck.out_ifindex = box.ha().value;
    box.put_fast_flow(udp.incoming(), stuck);
    check_stays(box, udp.before().build(), {{"rx_own", 1}, {"fast_stack_port", 1}});
  }
}

TEST_CASE("headers that are cut off or say too much go where they go without a fast path") {
  FastBox box;
  const Direction udp = udp_through_source_nat(), tcp = with_protocol(udp, IPPROTO_TCP);
  box.permit(udp);
  box.permit(tcp);
  for (size_t size = 15; size < tcp.before().build().size(); ++size) {
    const Outcome out = box.traffic_in(tcp.before().truncate(size).build());
    CHECK(out.verdict != XDP_REDIRECT);
  }
  CHECK(box.traffic_in(udp.before().claimed_length(24).build()).verdict == XDP_PASS);
  CHECK(box.traffic_in(udp.before().claimed_length(100).build()).verdict == XDP_DROP);
  CHECK(box.traffic_in(udp.before().claimed_length(0).build()).verdict == XDP_PASS);
  CHECK(box.counted()["fast_forwarded"] == 0);
}

TEST_CASE("a permit that has run out sends packets through the stack until it is renewed") {
  FastBox box;
  const Direction udp = udp_through_source_nat();
  nsrp_fast_flow flow = box.permitted(udp);
  flow.permit_until_ns = static_cast<uint64_t>(now().time_since_epoch().count()) - 1;
  box.put_fast_flow(udp.incoming(), flow);
  for (int i = 0; i < 2; ++i) check_stays(box, udp.before().build(), {{"rx_own", 1}, {"fast_stack_permit", 1}});
  CHECK(box.fast_flow(udp.incoming()).stack_ns != 0);
}

TEST_CASE("a packet close behind one that took the stack follows it there, but not for ever") {
  FastBox box;
  const Direction udp = udp_through_source_nat();
  nsrp_fast_flow flow = box.permitted(udp);
  const auto time = static_cast<uint64_t>(now().time_since_epoch().count());
  // The clock cannot be stopped, so permit and last packet lie a minute ahead of it.
  flow.permit_until_ns = time + 60'000'000'000;
  flow.granted = static_cast<uint32_t>((time + 60'000'000'000) >> 10);
  flow.stack_ns = time + 60'000'000'000;
  box.put_fast_flow(udp.incoming(), flow);
  check_stays(box, udp.before().build(), {{"rx_own", 1}, {"fast_stack_permit", 1}});
  flow.stack_ns = 0;
  box.put_fast_flow(udp.incoming(), flow);
  check_goes_fast(box, udp.before().build(), udp.after().build());
  // Granted a while ago: a sender that leaves no gaps waits no longer.
  CHECK(eventually([&] {
    const auto later = static_cast<uint64_t>(now().time_since_epoch().count());
    flow.permit_until_ns = later + NSRP_FAST_PERMIT_NS / 2;
    flow.granted = static_cast<uint32_t>((later - NSRP_FAST_PERMIT_NS / 2) >> 10);
    flow.stack_ns = later + 60'000'000'000;
    box.put_fast_flow(udp.incoming(), flow);
    return box.traffic_in(udp.before().build()).verdict == XDP_REDIRECT;
  }));
}

TEST_CASE("when routes, neighbours or rules change, no earlier permit holds") {
  FastBox box;
  const Direction udp = udp_through_source_nat();
  box.permit(udp);
  check_goes_fast(box, udp.before().build(), udp.after().build());
  box.change_ruleset();
  check_stays(box, udp.before().build(), {{"rx_own", 1}, {"fast_stack_generation", 1}});
}

TEST_CASE("without the lease the packet goes over the data link, permit or not") {
  FastBox box;
  const Direction udp = udp_through_source_nat();
  box.permit(udp);
  box.resign();
  (void)box.counted();
  const Outcome out = box.traffic_in(udp.before().build());
  CHECK(out.verdict == XDP_REDIRECT);
  CHECK(slice(out.frame, 0, 6) == slice(PacketBuilder().ethernet(kClientMac, kPeerHaMac).build(), 0, 6));
  CHECK(box.counted() == Counted{{"rx_to_peer", 1}});
  box.become_master();
  check_goes_fast(box, udp.before().build(), udp.after().build());
}

TEST_CASE("switched off, or on for the other protocol, nothing goes fast") {
  FastBox box;
  const Direction udp = udp_through_source_nat(), tcp = with_protocol(udp, IPPROTO_TCP);
  REQUIRE(box.datapath().set_fast_path({.tcp = true, .udp = false, .ports = {box.other_traffic()}}));
  ++box.generation_;
  box.permit(udp);
  box.permit(tcp);
  check_stays(box, udp.before().build(), {{"rx_own", 1}});
  check_goes_fast(box, tcp.before().build(), tcp.after().build());
  REQUIRE(box.datapath().set_fast_path({}));
  check_stays(box, tcp.before().build(), {{"rx_own", 1}});
}

TEST_CASE("frames to somebody else, and from our own virtual MAC, are not forwarded") {
  FastBox box;
  const Direction udp = udp_through_source_nat();
  box.permit(udp);
  Bytes frame = udp.before().build();
  std::ranges::copy(mac("00:0e:00:00:00:01").bytes, frame.begin());
  check_stays(box, frame, {});
  frame = udp.before().build();
  std::ranges::copy(mac(kVmac).bytes, frame.begin() + 6);
  CHECK(box.traffic_in(frame).verdict == XDP_DROP);
}
