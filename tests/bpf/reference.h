// SPDX-License-Identifier: Apache-2.0
// The rules of docs/bpf.md about frames on traffic interfaces once more, as plain C++ without a thought for speed: what
// the programs are compared with, packet by packet.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "kernel/datapath.h"
#include "packet_builder.h"

namespace nsrp::test {

struct ReferenceTuple {
  int family = 0, proto = 0;
  Bytes source, destination;
  int source_port = 0, destination_port = 0;
  auto operator<=>(const ReferenceTuple&) const = default;
};

struct ReferenceRoute {
  std::optional<VsdId> vsd;  // of a VSD's own table; none: the main table
  Prefix destination;
  IfIndex ifindex;
  bool gateway = false;
};

struct ReferenceSession {
  ReferenceTuple original, reply;
  VsdId vsd;
};

enum class Fate { kPass, kDrop, kToPeer, kNotJudged };

struct Judgement {
  Fate fate = Fate::kPass;
  uint16_t vid = 0;     // kToPeer: the tag
  std::string counter;  // what counts it, if anything
};

class Reference {
 public:
  std::vector<kernel::VsiEntry> vsis;
  std::vector<kernel::AddressEntry> addresses;
  std::map<IfIndex, MacAddress> own_macs;
  std::vector<ReferenceRoute> routes;
  std::vector<ReferenceSession> sessions;
  std::set<VsdId> mastered;
  bool data_link = true, data_forwarding = true;
  size_t data_link_mtu = 1500;
  MacAddress peer_mac;

  // What XDP does with a frame on a traffic interface. ARP and neighbour solicitations are not judged here.
  Judgement traffic_in(IfIndex ifindex, const Bytes& frame);
  // What XDP does with a frame on the HA interface. A frame that is taken is in `entered`, as the stack gets it.
  Judgement ha_in(const Bytes& frame, const MacAddress& own_mac, Bytes& entered);
  // The mark tc ingress gives an untagged frame that XDP has passed.
  uint32_t mark(IfIndex ifindex, const Bytes& frame);

  std::map<std::string, uint64_t> counted;

 private:
  enum class Why { kMac, kSession, kAddress, kEgress };
  struct Owner {
    std::optional<VsdId> vsd;
    Why why = Why::kMac;
  };
  struct Packet;
  using FragmentKey = std::tuple<int, int, Bytes, Bytes, uint32_t>;

  Judgement judge(IfIndex ifindex, const Bytes& frame);
  Judgement judge_data_link(const Bytes& frame, const MacAddress& own_mac, Bytes& entered);
  Judgement send_to_peer(IfIndex ifindex, const Bytes& frame, const kernel::VsiEntry* vsi, const Owner& owner) const;
  Owner find_owner(IfIndex ifindex, const Bytes& frame, const kernel::VsiEntry* vsi);
  Owner classify(IfIndex ifindex, const Bytes& frame, const kernel::VsiEntry* vsi);
  std::optional<VsdId> session_vsd(const ReferenceTuple& tuple) const;
  const kernel::AddressEntry* address(IfIndex ifindex, const Bytes& destination) const;
  const kernel::VsiEntry* egress_vsi(VsdId vsd, const Bytes& destination) const;
  const kernel::VsiEntry* vsi_of(IfIndex ifindex, const MacAddress& mac) const;
  const kernel::VsiEntry* vsi_of(IfIndex ifindex, std::optional<VsdId> vsd) const;  // without a VSD: the first one
  bool several_vsds() const;
  static std::optional<Packet> read(const Bytes& frame);

  std::map<FragmentKey, VsdId> fragments_;
};

}  // namespace nsrp::test
