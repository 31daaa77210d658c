// SPDX-License-Identifier: Apache-2.0
// Everything that is said and heard on the links between members: sockets, frames, who is reached where, what was
// dropped and why. Knows nothing of mastership: core::Member decides what is said, this says it.
//
//   HaFrames frames(loop, boot_epoch, {.heartbeat = …, .probe_answer = …, .peers_changed = …, .turn_ended = …});
//   frames.join({unit, cluster, config_checksum});
//   frames.open_link(link);
//   frames.send(SendHeartbeat{…});
//
// Lives on one loop's thread. Answers probes by itself. Takes at most kFramesPerTurn frames from a socket in a round of
// the loop, so that a flood cannot keep the timers waiting.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "core/action.h"
#include "core/member.h"
#include "io/link_socket.h"
#include "io/loop.h"
#include "wire/bodies.h"
#include "wire/frame.h"

namespace nsrp::daemon {

struct ControlLink {
  core::LinkIndex index;
  std::string ifname;
  IfIndex ifindex;
  MacAddress mac;
  IpAddress link_local;
  core::LinkFacts facts;
  bool operator==(const ControlLink&) const = default;
};

struct PeerAddress {  // where a member is reached on one of our links
  MacAddress mac;
  IpAddress link_local;
  bool operator==(const PeerAddress&) const = default;
};

// Frames of one sender that are dropped for the same cause, as long as they come.
struct FrameProblem {
  wire::Drop cause{};
  std::string who;   // a unit id or a MAC address
  std::string text;  // for the operator
  Instant first, last;
  uint64_t count = 0;
};

struct FramesView {
  std::map<UnitId, std::map<core::LinkIndex, PeerAddress>> peer_addresses;
  std::map<UnitId, uint64_t> peer_checksums;
  std::array<uint64_t, wire::kDropCauses> drops{};
  uint64_t frames_sent = 0, frames_received = 0, send_errors = 0;
  std::vector<FrameProblem> problems;
};

class HaFrames {
 public:
  static constexpr size_t kFramesPerTurn = 64;

  struct Handlers {
    std::function<void(core::LinkIndex link, core::LinkIndex sent_on, const core::Heartbeat&)> heartbeat;
    std::function<void(core::LinkIndex link, uint64_t id)> probe_answer;
    std::function<void()> peers_changed;  // addresses or checksums
    std::function<void()> turn_ended;     // after the frames of one turn
  };
  struct Identity {
    UnitId unit;
    ClusterId cluster;
    uint64_t config_checksum = 0;
    bool operator==(const Identity&) const = default;
  };

  HaFrames(io::Loop& loop, uint64_t boot_epoch, Handlers handlers);
  HaFrames(const HaFrames&) = delete;
  HaFrames& operator=(const HaFrames&) = delete;

  // nullopt: in no cluster. Nothing is sent then, and what comes is not looked at.
  void join(std::optional<Identity> identity);

  void open_link(const ControlLink& link);  // or what has changed about it
  void close_link(core::LinkIndex index);
  void close_links();
  const std::map<core::LinkIndex, ControlLink>& links() const { return facts_; }

  void send(const core::SendHeartbeat& order);
  void send(const core::SendProbe& order);

  const FramesView& view() const { return view_; }

 private:
  struct OpenLink {
    io::LinkSocket socket;
    io::Watch watch;
    uint64_t counter = 0;
  };

  void receive(core::LinkIndex index);
  void on_frame(core::LinkIndex index, std::span<const uint8_t> bytes);
  void on_heartbeat(core::LinkIndex index, const wire::FrameView& frame);
  void on_probe_request(core::LinkIndex index, const wire::FrameView& frame);
  void on_probe_answer(core::LinkIndex index, const wire::FrameView& frame);
  bool remember(core::LinkIndex index, const wire::FrameHead& head, const wire::HeartbeatBody& body);
  void transmit(core::LinkIndex index, wire::FrameType type, const MacAddress& to, std::span<const uint8_t> body);
  void count(wire::Drop cause) { ++view_.drops[static_cast<size_t>(cause)]; }

  io::Loop& loop_;
  const uint64_t boot_epoch_;
  const Handlers handlers_;
  std::optional<Identity> identity_;
  std::map<core::LinkIndex, ControlLink> facts_;
  std::map<core::LinkIndex, OpenLink> open_;
  FramesView view_;
};

}  // namespace nsrp::daemon
