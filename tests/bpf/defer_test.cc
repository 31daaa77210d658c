// SPDX-License-Identifier: Apache-2.0
// First packets of sessions that are held for the daemon, and come out again when it sends them.
#include <bpf/bpf.h>
#include <doctest/doctest.h>

#include <vector>

#include "gateway_lab.h"
#include "io/frame_sender.h"
#include "kernel/held_frames.h"
#include "test_box.h"

using namespace nsrp;
using namespace nsrp::test;

namespace {

constexpr VsdId kVsd{0};

// Both VSIs of the lab's VSD defer, and there is somebody to hold what it sends.
struct DeferringLab : GatewayLab {
  std::unique_ptr<kernel::HeldFrames> frames;
  std::optional<io::FrameSender> sender;
  Socket client_socket{client, SOCK_DGRAM, kClient, 4000}, server_socket{server, SOCK_DGRAM, kServer, 53};

  DeferringLab() {
    const IfIndex eth1 = gateway.ifindex("eth1"), eth2 = gateway.ifindex("eth2");
    gateway.in([&] {
      REQUIRE(datapath->set_vsis(std::vector<kernel::VsiEntry>{{eth1, Vid{1}, kVsd, mac(kTrustVmac), true},
                                                               {eth2, Vid{2}, kVsd, mac(kUntrustVmac), true}}));
      auto opened = kernel::HeldFrames::open(*datapath);
      REQUIRE(opened);
      frames = std::move(*opened);
      auto socket = io::FrameSender::open();
      REQUIRE(socket);
      sender.emplace(std::move(*socket));
    });
    hold_for(seconds{60});
  }

  void hold_for(Duration time) const { frames->hold(kVsd, now() + time, now() + time); }
  void send_first() const { client_socket.send_to(kServer, 53); }
  std::vector<rto::HeldPacket> wait_for_held(size_t packets) const {
    std::vector<rto::HeldPacket> held;
    CHECK(eventually([&] {
      for (rto::HeldPacket& packet : frames->take()) held.push_back(std::move(packet));
      return held.size() >= packets;
    }));
    REQUIRE(held.size() == packets);
    return held;
  }
  bool let_out(const rto::HeldPacket& packet) const {
    std::optional<io::OpenChecksum> checksum;
    if (packet.about.checksum_start != 0)
      checksum = io::OpenChecksum{packet.about.checksum_start, packet.about.checksum_offset};
    frames->let_go(packet.about);
    return sender->send(IfIndex{packet.about.ifindex}, packet.frame, packet.about.mark | NSRP_MARK_HELD, checksum);
  }
};

}  // namespace

TEST_CASE("where no VSD defers nothing is held") {
  const GatewayLab lab;
  const Socket client(lab.client, SOCK_DGRAM, kClient, 4000), server(lab.server, SOCK_DGRAM, kServer, 53);
  client.send_to(kServer, 53);
  CHECK(server.receive().has_value());
  CHECK(lab.count(NSRP_CNT_held) == 0);
  CHECK(lab.count(NSRP_CNT_hold_nobody) == 0);
}

TEST_CASE("the first packet of a session is held with those behind it, and all come out whole and in order") {
  const DeferringLab lab;
  std::string offload;
  SUBCASE("with its checksum complete") {
    offload = "off";
  }
  SUBCASE("with a checksum that the interface has to finish") {
    offload = "on";
  }
  CAPTURE(offload);
  lab.client.run("ethtool -K c0 tx " + offload + " >/dev/null");
  REQUIRE(lab.client_socket.connect(kServer, 53));
  for (const char* text : {"1", "22", "333"}) lab.client_socket.send(text);
  const auto held = lab.wait_for_held(3);
  CHECK(lab.count(NSRP_CNT_held) == 3);
  for (size_t i = 0; i < held.size(); ++i) {
    CHECK(held[i].about.first == (i == 0 ? 1 : 0));
    CHECK(held[i].about.vsd == 0);
    CHECK(held[i].frame.size() == 14 + 20 + 8 + i + 1);
    const MacAddress source = mac(kUntrustVmac);
    CHECK(std::equal(source.bytes.begin(), source.bytes.end(), held[i].frame.begin() + 6));
  }
  // The record is on its way to the peer already.
  const auto events = lab.events();
  REQUIRE_FALSE(events.empty());
  CHECK(same(events[0].key, tuple(IPPROTO_UDP, kClient, 4000, kServer, 53)));

  for (const rto::HeldPacket& packet : held) CHECK(lab.let_out(packet));
  for (size_t i = 0; i < held.size(); ++i) CHECK(lab.server_socket.receive() == 4000);  // their checksums are right
  CHECK(lab.count(NSRP_CNT_held_sent) == 3);
  lab.client_socket.send("4444");  // nothing of the session is held any more
  CHECK(lab.server_socket.receive() == 4000);
  CHECK(lab.count(NSRP_CNT_held) == 3);
}

TEST_CASE("answers of a young session are not held when nothing before them is") {
  const DeferringLab lab;
  lab.send_first();
  CHECK(lab.let_out(lab.wait_for_held(1)[0]));
  lab.server_socket.reply_to_sender();
  CHECK(lab.client_socket.receive().has_value());
  CHECK(lab.count(NSRP_CNT_held) == 1);
}

TEST_CASE("what is held when mastership is lost without a handover does not leave") {
  const DeferringLab lab;
  lab.send_first();
  const auto held = lab.wait_for_held(1);
  lab.datapath->revoke_lease(kVsd);
  CHECK_FALSE(lab.let_out(held[0]));
  CHECK(lab.count(NSRP_CNT_tx_drop_vmac_source) == 1);
  CHECK(lab.count(NSRP_CNT_held_sent) == 0);
}

TEST_CASE("what is held when its VSD is handed over still leaves, with the interface's own MAC") {
  TestBox box;
  box.become_master();
  box.datapath().revoke_lease(kVsd, now() + seconds{60});
  const Bytes frame = PacketBuilder().ethernet(kVmac, kClientMac).ipv4("10.2.0.9", "10.1.1.99").udp(4000, 53).build();
  const Outcome out = box.tc_out(frame, {.forwarded = false, .mark = NSRP_MARK_HELD | 5});
  CHECK(out.verdict == TC_ACT_UNSPEC);
  CHECK(out.mark == 5);
  CHECK(slice(out.frame, 6, 6) == slice(PacketBuilder().ethernet(kOwnMac, kClientMac).build(), 6, 6));
  CHECK(box.counted() == Counted{{"tx_drained", 1}});
}

TEST_CASE("where nobody is to hold them first packets pass at once") {
  const DeferringLab lab;
  lab.hold_for(seconds{-1});  // a daemon that has stopped to say that it is there
  lab.send_first();
  CHECK(lab.server_socket.receive() == 4000);
  CHECK(lab.count(NSRP_CNT_hold_nobody) == 1);
  CHECK(lab.count(NSRP_CNT_held) == 0);
}

TEST_CASE("with the process that held them goes the holding, whatever times it left behind") {
  DeferringLab lab;
  lab.frames.reset();
  const nsrp_defer left{.until_ns = to_ns(now() + seconds{60}), .behind_until_ns = to_ns(now() + seconds{60})};
  const uint32_t vsd = 0;
  REQUIRE(bpf_map_update_elem(lab.datapath->defers_fd(), &vsd, &left, BPF_ANY) == 0);
  lab.send_first();
  CHECK(lab.server_socket.receive() == 4000);
  CHECK(lab.count(NSRP_CNT_hold_nobody) == 1);
}

TEST_CASE("more packets than there is room for pass at once") {
  const DeferringLab lab;
  // Each to a port of its own is a session of its own.
  for (uint16_t port = 1000; port < 4000; ++port) lab.client_socket.send_to(kServer, port, std::string(1400, 'x'));
  CHECK(lab.count(NSRP_CNT_hold_full) > 0);
  CHECK(lab.count(NSRP_CNT_held) > 300);
  CHECK(lab.frames->take().size() == lab.count(NSRP_CNT_held));
}

TEST_CASE("a packet behind a held one passes when") {
  const DeferringLab lab;
  lab.send_first();
  const auto held = lab.wait_for_held(1);
  SUBCASE("nothing is held any more") {
    lab.frames->let_go(held[0].about);
  }
  SUBCASE("the daemon has stopped to say that it is there") {
    lab.frames->hold(kVsd, now() + seconds{60}, {});
  }
  SUBCASE("its session is not young any more") {
    const nsrp_tuple key = tuple(IPPROTO_UDP, kClient, 4000, kServer, 53);
    nsrp_session session = lab.session(key).value();
    session.created_ns -= NSRP_YOUNG_NS;
    lab.store_session(key, session);
  }
  lab.send_first();
  CHECK(lab.server_socket.receive() == 4000);
  CHECK(lab.count(NSRP_CNT_held) == 1);
}
