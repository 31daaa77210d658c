// SPDX-License-Identifier: Apache-2.0
// Data link frames as the HA program takes them; and end to end through two boxes.
#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <doctest/doctest.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>

#include "namespaces.h"
#include "test_box.h"

using namespace nsrp;
using namespace nsrp::test;
using kernel::Datapath;
using kernel::UniqueFd;

namespace {

PacketBuilder over_data_link(Vid vid = kVid, std::string_view source = kPeerHaMac,
                             std::string_view destination = kHaMac) {
  return PacketBuilder()
      .ethernet(source, destination)
      .vlan(vid.value)
      .ipv4("10.1.1.99", "10.2.0.9")
      .udp(4000, 53)
      .payload({7, 7, 7});
}

}  // namespace

TEST_CASE("the master takes the tag off a data link packet and gives it the virtual MAC") {
  TestBox box;
  box.become_master();
  const Outcome out = box.ha_in(over_data_link().build());
  CHECK(out.verdict == XDP_PASS);
  CHECK(out.frame == PacketBuilder()
                         .ethernet(kPeerHaMac, kVmac)
                         .ipv4("10.1.1.99", "10.2.0.9")
                         .udp(4000, 53)
                         .payload({7, 7, 7})
                         .build());
  REQUIRE(out.meta.size() == sizeof(nsrp_meta));
  nsrp_meta meta{};
  std::memcpy(&meta, out.meta.data(), sizeof(meta));
  CHECK(meta.magic == NSRP_META_MAGIC);
  CHECK(meta.vid == kVid.value);
  CHECK(box.counted().empty());
}

TEST_CASE("data link frames that may not enter are dropped with the reason counted") {
  TestBox box;
  box.become_master();
  CHECK(box.ha_in(over_data_link(kVid, kClientMac).build()).verdict == XDP_DROP);
  CHECK(box.counted() == Counted{{"dl_drop_bad_peer", 1}});
  CHECK(box.ha_in(over_data_link(Vid{999}).build()).verdict == XDP_DROP);
  CHECK(box.counted() == Counted{{"dl_drop_unknown_vid", 1}});
  CHECK(box.ha_in(over_data_link().truncate(17).build()).verdict == XDP_DROP);
  CHECK(box.counted() == Counted{{"dl_drop_malformed", 1}});
  box.resign();
  CHECK(box.ha_in(over_data_link().build()).verdict == XDP_DROP);
  CHECK(box.counted() == Counted{{"dl_drop_not_master", 1}});
}

TEST_CASE("without a learned peer nothing is taken from the data link") {
  TestBox box;
  box.become_master();
  box.set_data_link(false, true);
  CHECK(box.ha_in(over_data_link().build()).verdict == XDP_DROP);
  CHECK(box.counted() == Counted{{"dl_drop_bad_peer", 1}});
}

TEST_CASE("everything else on an HA link passes untouched") {
  TestBox box;
  box.become_master();
  const Bytes to_another = over_data_link(kVid, kPeerHaMac, "02:cc:00:00:00:01").build();
  const Bytes plain = PacketBuilder().ethernet(kPeerHaMac, kHaMac).ipv6("fe80::1", "fe80::2").udp(1, 2).build();
  for (const Bytes& frame : {to_another, plain}) {
    const Outcome out = box.ha_in(frame);
    CHECK(out.verdict == XDP_PASS);
    CHECK(out.frame == frame);
  }
  CHECK(box.counted().empty());
}

namespace {

// A client at the traffic interface of a backup, whose data link leads to the master.
struct TwoBoxes {
  Namespace client, backup, master;
  std::unique_ptr<Datapath> backup_path, master_path;

  explicit TwoBoxes(uint32_t master_traffic_mode, uint32_t ha_mode) {
    connect(client, "c0", backup, "eth1");
    connect(backup, "ha2", master, "ha2");
    master.run("ip link add eth1 type veth peer name far && ip link set eth1 up && ip link set far up");
    client.run("ip addr add 10.1.1.99/24 dev c0 && ip neigh add 10.1.1.1 lladdr " + std::string(kVmac) + " dev c0");
    // A veth takes redirected frames when it has native XDP, or polls for GRO.
    master.run("ip addr add 10.1.1.1/24 dev eth1 && ethtool -K ha2 gro on >/dev/null 2>&1");
    backup_path = open(backup, 0, 0);
    master_path = open(master, master_traffic_mode, ha_mode);
    master_path->grant_lease(VsdId{0}, now() + seconds{60}, Duration{}, 1);
    introduce(backup, *backup_path, master);
    introduce(master, *master_path, backup);
  }

  ~TwoBoxes() {
    backup.in([&] { backup_path->remove(); });
    master.in([&] { master_path->remove(); });
  }

  static MacAddress mac_of(const Namespace& where, const std::string& name) {
    std::string text = where.in([&] { return output_of("ip -br link show " + name + " | awk '{print $3}'"); });
    return mac(std::string_view(text).substr(0, 17));
  }

  // A generic mode is asked for by putting the program there first: attaching keeps the mode it finds.
  static std::unique_ptr<Datapath> open(const Namespace& where, uint32_t traffic_mode, uint32_t ha_mode) {
    return where.in([&] {
      auto path = Datapath::open({.bpf_dir = unique_bpf_dir(), .max_sessions = 1024});
      REQUIRE(path.has_value());
      const IfIndex eth1 = where.ifindex("eth1"), ha2 = where.ifindex("ha2");
      const auto force = [&](IfIndex ifindex, const char* program, uint32_t mode) {
        if (mode != 0)
          REQUIRE(bpf_xdp_attach(static_cast<int>(ifindex.value), (*path)->program_fd(program), mode, nullptr) == 0);
      };
      force(eth1, "nsrp_traffic_in", traffic_mode);
      force(ha2, "nsrp_ha_in", ha_mode);
      REQUIRE((*path)->attach_traffic(eth1).has_value());
      REQUIRE((*path)->attach_ha(ha2).has_value());
      return std::move(*path);
    });
  }

  static void introduce(const Namespace& where, Datapath& path, const Namespace& peer) {
    where.in([&] {
      const IfIndex eth1 = where.ifindex("eth1"), ha2 = where.ifindex("ha2");
      const MacAddress own_ha = mac_of(where, "ha2");
      REQUIRE(
          path.set_interfaces(std::vector<kernel::InterfaceEntry>{{eth1, NSRP_IF_TRAFFIC, kVid, mac_of(where, "eth1")},
                                                                  {ha2, NSRP_IF_HA, Vid{}, own_ha}})
              .has_value());
      REQUIRE(path.set_vsis(std::vector<kernel::VsiEntry>{{eth1, kVid, VsdId{0}, mac(kVmac)}}).has_value());
      REQUIRE(path.set_addresses(std::vector<kernel::AddressEntry>{{eth1, ip("10.1.1.1"), NSRP_ADDR_VSI, kVid}})
                  .has_value());
      REQUIRE(path.set_data_link(kernel::DataLink{ha2, own_ha, mac_of(peer, "ha2")}, ClusterId{1}, true).has_value());
    });
  }

  uint64_t count(Datapath& path, nsrp_counter counter) const { return path.counters().value().at(counter); }
};

sockaddr_in at(const char* address, uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  inet_pton(AF_INET, address, &result.sin_addr);
  return result;
}

UniqueFd udp_socket() {
  return UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

// The interface a waiting datagram came in on, 0 when none is there.
unsigned arrived_on(int fd) {
  char data[64];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in_pktinfo))];
  iovec part{data, sizeof(data)};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  if (recvmsg(fd, &message, MSG_DONTWAIT) <= 0) return 0;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr) return 0;
  in_pktinfo info{};
  std::memcpy(&info, CMSG_DATA(header), sizeof(info));
  return static_cast<unsigned>(info.ipi_ifindex);
}

void check_a_packet_crosses(TwoBoxes& boxes) {
  const UniqueFd listener = boxes.master.in(udp_socket), sender = boxes.client.in(udp_socket);
  const sockaddr_in vsi = at("10.1.1.1", 5353);
  const int on = 1;
  REQUIRE(setsockopt(listener.get(), IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) == 0);
  REQUIRE(bind(listener.get(), reinterpret_cast<const sockaddr*>(&vsi), sizeof(vsi)) == 0);
  unsigned came_in = 0;
  CHECK(eventually([&] {
    (void)sendto(sender.get(), "hello", 5, 0, reinterpret_cast<const sockaddr*>(&vsi), sizeof(vsi));
    came_in = arrived_on(listener.get());
    return came_in != 0;
  }));
  CHECK(came_in == boxes.master.ifindex("eth1").value);
  CHECK(boxes.count(*boxes.backup_path, NSRP_CNT_rx_to_peer) >= 1);
  CHECK(boxes.count(*boxes.master_path, NSRP_CNT_dl_rx) >= 1);
}

}  // namespace

TEST_CASE("a packet a backup received comes out of the master's stack as if received there") {
  SUBCASE("native XDP") {
    TwoBoxes boxes(0, 0);
    check_a_packet_crosses(boxes);
    CHECK(boxes.count(*boxes.master_path, NSRP_CNT_rx_own) == 0);  // XDP of eth1 is not asked again
  }
  SUBCASE("generic XDP on the master's traffic interface") {
    TwoBoxes boxes(XDP_FLAGS_SKB_MODE, 0);
    check_a_packet_crosses(boxes);
    CHECK(boxes.count(*boxes.master_path, NSRP_CNT_rx_own) >= 1);
  }
  SUBCASE("generic XDP on the HA interface too") {
    TwoBoxes boxes(XDP_FLAGS_SKB_MODE, XDP_FLAGS_SKB_MODE);
    check_a_packet_crosses(boxes);
  }
}

TEST_CASE("a data link whose tags the NIC strips works as well, with the same checks") {
  TwoBoxes boxes(0, 0);
  boxes.master.in([&] {
    // Without the XDP program the kernel takes the tag off before tc ingress, as a NIC would.
    REQUIRE(bpf_xdp_detach(static_cast<int>(boxes.master.ifindex("ha2").value), XDP_FLAGS_DRV_MODE, nullptr) == 0);
    attach_pass(boxes.master.ifindex("ha2"), XDP_FLAGS_DRV_MODE);
  });
  check_a_packet_crosses(boxes);

  boxes.master_path->revoke_lease(VsdId{0});
  const UniqueFd sender = boxes.client.in(udp_socket);
  const sockaddr_in vsi = at("10.1.1.1", 5353);
  const uint64_t before = boxes.count(*boxes.master_path, NSRP_CNT_dl_rx);
  CHECK(eventually([&] {
    (void)sendto(sender.get(), "hello", 5, 0, reinterpret_cast<const sockaddr*>(&vsi), sizeof(vsi));
    return boxes.count(*boxes.master_path, NSRP_CNT_dl_drop_not_master) >= 1;
  }));
  CHECK(boxes.count(*boxes.master_path, NSRP_CNT_dl_rx) == before);
}
