// SPDX-License-Identifier: Apache-2.0
// Everything that is said and heard on the links between members: sockets, frames, who is reached where, what was
// dropped and why. Knows nothing of mastership: core::Member decides what is said, this says it.
//
//   HaFrames frames(loop, boot_epoch, {.heartbeat = …, .probe_answer = …, .peers_changed = …, .turn_ended = …});
//   frames.set_keys(keys);
//   frames.join({unit, cluster, config_checksum});
//   frames.open_link(link);
//   frames.send(SendHeartbeat{…});
//
// Lives on one loop's thread. Answers probes and challenges by itself. Takes at most kFramesPerTurn frames from a
// socket in a round of the loop, so that a flood cannot keep the timers waiting.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "core/action.h"
#include "core/member.h"
#include "daemon/frame_problems.h"
#include "io/link_socket.h"
#include "io/loop.h"
#include "wire/bodies.h"
#include "wire/frame_guard.h"

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

struct FramesView {
  std::map<UnitId, std::map<core::LinkIndex, PeerAddress>> peer_addresses;
  std::map<UnitId, uint64_t> peer_checksums;
  std::array<uint64_t, wire::kDropCauses> drops{};
  uint64_t frames_sent = 0, frames_received = 0, send_errors = 0;
  std::vector<FrameProblem> problems;
  std::shared_ptr<const wire::Keys> keys;  // that frames are protected with now; nullptr: none
  // While passwords are being changed: who does not use the newest yet.
  bool key_change = false;
  std::vector<UnitId> key_change_waits_for;
};

class HaFrames {
 public:
  static constexpr size_t kFramesPerTurn = 64;
  static constexpr size_t kMostPeers = 16;  // in a cluster there are 7; without a password anybody can be one
  static constexpr milliseconds kProbeAnswerPause{5};  // between answers to probes on a link

  struct Handlers {
    std::function<void(core::LinkIndex link, core::LinkIndex sent_on, const core::Heartbeat&)> heartbeat;
    std::function<void(core::LinkIndex link, uint64_t id)> probe_answer;
    std::function<void()> peers_changed;  // addresses or checksums; the keys in use
    std::function<void()> turn_ended;     // after the frames of one turn
  };
  struct Identity {
    UnitId unit;
    ClusterId cluster;
    uint64_t config_checksum = 0;
    bool operator==(const Identity&) const = default;
  };

  HaFrames(io::Loop& loop, uint64_t boot_epoch, Handlers handlers);
  ~HaFrames();
  HaFrames(const HaFrames&) = delete;
  HaFrames& operator=(const HaFrames&) = delete;

  // nullopt: in no cluster. Nothing is sent then, and what comes is not looked at.
  void join(std::optional<Identity> identity);

  // The keys of the cluster's passwords; nullptr: none. Others than before are taken into use without an outage, see
  // wire::KeyRing.
  void set_keys(std::shared_ptr<const wire::Keys> keys);

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
    Instant probe_answered;
  };

  void receive(core::LinkIndex index);
  void on_frame(core::LinkIndex index, std::span<const uint8_t> bytes);
  std::optional<wire::Drop> use(core::LinkIndex index, const wire::OpenedFrame& frame);
  std::optional<wire::Drop> on_heartbeat(core::LinkIndex index, const wire::OpenedFrame& frame);
  std::optional<wire::Drop> on_probe_request(core::LinkIndex index, const wire::OpenedFrame& frame);
  std::optional<wire::Drop> on_probe_answer(core::LinkIndex index, const wire::OpenedFrame& frame);
  bool admit(Instant now, UnitId unit);
  bool remember(core::LinkIndex index, const wire::FrameHead& head, const wire::HeartbeatBody& body);
  wire::FrameHead head(core::LinkIndex index, wire::FrameType type, const MacAddress& to) const;
  void transmit(core::LinkIndex index, const wire::Bytes& frame);
  void on_second();
  void refresh_view();

  io::Loop& loop_;
  const Handlers handlers_;
  std::optional<Identity> identity_;
  wire::FrameGuard guard_;
  FrameProblems problems_;
  std::map<core::LinkIndex, ControlLink> facts_;
  std::map<core::LinkIndex, OpenLink> open_;
  std::map<UnitId, Instant> heard_;
  io::Loop::TimerId second_ = 0;
  FramesView view_;
};

}  // namespace nsrp::daemon
