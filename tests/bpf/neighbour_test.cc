// SPDX-License-Identifier: Apache-2.0
// IPv6 neighbour discovery for VSI addresses at XDP ingress (RFC 4861).
#include <doctest/doctest.h>

#include "test_box.h"

using namespace nsrp;
using namespace nsrp::test;

namespace {

constexpr std::string_view kSolicitedNodeMac = "33:33:ff:00:00:01", kSolicitedNode = "ff02::1:ff00:1";

PacketBuilder who_is(std::string_view target, std::string_view source = "2001:db8::99",
                     std::optional<std::string_view> source_mac = kClientMac) {
  return PacketBuilder()
      .ethernet(kClientMac, kSolicitedNodeMac)
      .ipv6(source, kSolicitedNode)
      .solicit(target, source_mac);
}

Bytes advert(std::string_view destination_mac, std::string_view destination, uint8_t flags) {
  Bytes frame = PacketBuilder()
                    .ethernet(kVmac, destination_mac)
                    .ipv6("2001:db8::1", destination)
                    .advertise("2001:db8::1", kVmac)
                    .build();
  // The builder sets router, solicited and override; fewer flags make the checksum larger by the difference.
  if (const int less = 0xe0 - flags; less != 0) {
    const int sum = (frame.at(56) << 8) + frame.at(57) + (less << 8);
    const int folded = (sum & 0xffff) + (sum >> 16);
    frame.at(56) = static_cast<uint8_t>(folded >> 8);
    frame.at(57) = static_cast<uint8_t>(folded);
    frame.at(58) = flags;
  }
  return frame;
}

}  // namespace

TEST_CASE("the master answers a neighbour solicitation for a VSI address with the virtual MAC") {
  TestBox box;
  box.become_master();
  const Outcome out = box.traffic_in(who_is("2001:db8::1").build());
  CHECK(out.verdict == XDP_TX);
  CHECK(out.frame == advert(kClientMac, "2001:db8::99", 0xe0));
  CHECK(icmpv6_checksum_is_right(out.frame));
  CHECK(box.counted() == Counted{{"nd_answered", 1}});
}

TEST_CASE("the answer has its full size whatever the size of the question") {
  TestBox box;
  box.become_master();
  const Bytes nonce_option = {14, 1, 1, 2, 3, 4, 5, 6};
  for (const Bytes& frame :
       {who_is("2001:db8::1", "2001:db8::99", std::nullopt).build(),
        who_is("2001:db8::1").payload(nonce_option).build(), who_is("2001:db8::1").pad_to(200).build()}) {
    const Outcome out = box.traffic_in(frame);
    CHECK(out.verdict == XDP_TX);
    CHECK(out.frame == advert(kClientMac, "2001:db8::99", 0xe0));
  }
}

TEST_CASE("duplicate address detection for a VSI address is answered to all nodes, not as solicited") {
  TestBox box;
  box.become_master();
  const Outcome out = box.traffic_in(who_is("2001:db8::1", "::", std::nullopt).build());
  CHECK(out.verdict == XDP_TX);
  CHECK(out.frame == advert("33:33:00:00:00:01", "ff02::1", 0xa0));
  CHECK(icmpv6_checksum_is_right(out.frame));
}

TEST_CASE("a non-master keeps silent about a VSI's IPv6 address") {
  TestBox box;
  CHECK(box.traffic_in(who_is("2001:db8::1").build()).verdict == XDP_DROP);
  CHECK(box.counted() == Counted{{"nd_drop_not_master", 1}});
}

TEST_CASE("other solicitations, adverts and ICMPv6 reach the stack untouched") {
  TestBox box;
  box.become_master();
  const Bytes from_afar = who_is("2001:db8::1").hop_limit(64).build();
  const Bytes for_manage_ip = who_is("2001:db8::21").build();
  const Bytes advertisement = PacketBuilder()
                                  .ethernet(kClientMac, kOwnMac)
                                  .ipv6("2001:db8::99", "2001:db8::21")
                                  .advertise("2001:db8::1", kClientMac)
                                  .build();
  const Bytes cut_before_type =
      PacketBuilder().ethernet(kClientMac, kSolicitedNodeMac).ipv6("2001:db8::99", kSolicitedNode).build();
  for (const Bytes& frame : {from_afar, for_manage_ip, advertisement, cut_before_type}) {
    const Outcome out = box.traffic_in(frame);
    CHECK(out.verdict == XDP_PASS);
    CHECK(out.frame == frame);
  }
  CHECK(box.counted().empty());
}

TEST_CASE("a solicitation that is shorter than it says is dropped and counted") {
  TestBox box;
  box.become_master();
  for (const size_t size : {55u, 70u, 77u, 85u})
    CHECK(box.traffic_in(who_is("2001:db8::1").truncate(size).build()).verdict == XDP_DROP);
  CHECK(box.traffic_in(who_is("2001:db8::1").claimed_length(16).build()).verdict == XDP_DROP);
  CHECK(box.counted() == Counted{{"rx_drop_malformed", 5}});
}
