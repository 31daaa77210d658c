// SPDX-License-Identifier: Apache-2.0
// One gateway's data path with a VSI on a traffic interface, and its programs fed with single frames.
//
//   TestBox box;
//   box.become_master();
//   CHECK(box.traffic_in(frame).verdict == XDP_TX);
//   CHECK(box.counted() == Counted{{"arp_answered", 1}});
#pragma once

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <map>
#include <memory>
#include <string>

#include "kernel/datapath.h"
#include "packet_builder.h"

namespace nsrp::test {

inline constexpr std::string_view kOwnMac = "02:aa:00:00:00:01";  // of the traffic interface
inline constexpr std::string_view kHaMac = "02:aa:00:00:00:0a";   // of the HA interface
inline constexpr std::string_view kPeerHaMac = "02:bb:00:00:00:0a";
inline constexpr std::string_view kVmac = "02:4e:53:01:00:01";       // VSD 0
inline constexpr std::string_view kOtherVmac = "02:4e:53:01:01:01";  // VSD 1, on boxes that have it
inline constexpr std::string_view kClientMac = "00:0c:00:00:00:99";
inline constexpr Vid kVid{101};
inline constexpr Vid kOtherVid{102};
// On the other traffic interface of an active/active box
inline constexpr std::string_view kFarVmac = "02:4e:53:01:00:02", kFarOtherVmac = "02:4e:53:01:01:02";
inline constexpr Vid kFarVid{103}, kFarOtherVid{104};

using Counted = std::map<std::string, uint64_t>;

struct Outcome {
  int verdict = 0;
  Bytes frame;  // as it left the program
  Bytes meta;   // XDP metadata in front of it
  uint32_t mark = 0;
};

nsrp_tuple flow_tuple(uint8_t protocol, std::string_view source, uint16_t source_port, std::string_view destination,
                      uint16_t destination_port);

struct Egress {
  bool forwarded = false;
  uint32_t mark = 0;
  IfIndex came_in{};  // of a forwarded packet; the other traffic interface when not set
};

std::string unique_bpf_dir();
Instant now();

class TestBox {
 public:
  TestBox();
  ~TestBox();
  TestBox(const TestBox&) = delete;
  TestBox& operator=(const TestBox&) = delete;

  kernel::Datapath& datapath() { return *datapath_; }
  IfIndex traffic() const { return traffic_; }
  IfIndex other_traffic() const { return other_; }
  IfIndex ha() const { return ha_; }

  void become_master(VsdId vsd = VsdId{0});
  void resign(VsdId vsd = VsdId{0});
  void set_data_link(bool present, bool forwarding);
  void add_second_vsd();  // VSD 1 on the same interface
  // VSDs 0 and 1 on both traffic interfaces. Routes: 10.2.0.0/16 and 2001:db8:2::/48 on the other interface, what
  // begins with 10.3. and 2001:db8:3: through a gateway there; VSD 1 has a route of its own to 10.4.0.0/16 and
  // 2001:db8:4::/48.
  void make_active_active();
  // The fast path for both protocols, out of the other traffic interface and the first one.
  void allow_fast_path();
  void put_fast_flow(const nsrp_tuple& incoming, const nsrp_fast_flow& flow);
  nsrp_fast_flow fast_flow(const nsrp_tuple& incoming) const;
  void put_session(const nsrp_tuple& original, const nsrp_tuple& reply, VsdId vsd);

  Outcome traffic_in(const Bytes& frame) { return xdp("nsrp_traffic_in", traffic_, frame); }
  Outcome other_traffic_in(const Bytes& frame) { return xdp("nsrp_traffic_in", other_, frame); }
  Outcome ha_in(const Bytes& frame) { return xdp("nsrp_ha_in", ha_, frame); }
  Outcome port_in(const Bytes& frame) { return xdp("nsrp_port_in", traffic_, frame); }
  Outcome port_out(const Bytes& frame, bool forwarded) {
    return tc("nsrp_port_out", frame, 0, forwarded ? other_ : IfIndex{});
  }
  Outcome tc_in(const Bytes& frame);
  Outcome tc_out(const Bytes& frame, const Egress& how = {});

  // What the counters gained since the last call, zeros left out.
  Counted counted();

 private:
  Outcome xdp(const std::string& program, IfIndex ifindex, const Bytes& frame);
  Outcome tc(const std::string& program, const Bytes& frame, uint32_t mark, IfIndex came_in);
  void configure(const std::vector<kernel::VsiEntry>& vsis);

  std::unique_ptr<kernel::Datapath> datapath_;
  IfIndex traffic_, other_, ha_;
  kernel::Counters last_{};
};

}  // namespace nsrp::test
