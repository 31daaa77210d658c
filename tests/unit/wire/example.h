// SPDX-License-Identifier: Apache-2.0
// A heartbeat with something in every field.
#pragma once

#include "wire/bodies.h"

namespace nsrp::test {

inline constexpr ClusterId kCluster{3};
inline constexpr UnitId kOwnUnit{0x0200000000a1};
inline constexpr UnitId kPeerUnit{0x0200000000b1};
inline constexpr uint64_t kEpoch = 0xfeedfacecafebeef;

inline wire::FrameHead example_head() {
  return {.destination = wire::kBroadcast,
          .source = *MacAddress::parse("02:00:00:00:00:b1"),
          .type = wire::FrameType::kHeartbeat,
          .cluster = kCluster,
          .link = core::LinkIndex{1},
          .unit = kPeerUnit,
          .epoch = kEpoch,
          .counter = 77};
}

inline wire::HeartbeatBody example_body(size_t vsds = 2, size_t hearings = 1) {
  wire::HeartbeatBody body;
  body.link_local = *IpAddress::parse("fe80::b1");
  body.config_checksum = 0x1122334455667788;
  body.newest_key = 0xa1b2c3d4;
  core::Heartbeat& hb = body.heartbeat;
  hb.unit = kPeerUnit;
  hb.boot_epoch = kEpoch;
  hb.sequence = 42;
  hb.hb_interval = milliseconds(200);
  hb.hb_threshold = 5;
  hb.leaving = true;
  hb.rto_enabled = true;
  hb.rto_peer = kOwnUnit;
  hb.clears = 0x0102;
  for (size_t i = 0; i < vsds; ++i) {
    core::VsdAdvert vsd;
    vsd.vsd = VsdId{static_cast<uint8_t>(i)};
    vsd.state = static_cast<core::VsdState>(1 + i % 6);
    vsd.priority = static_cast<uint8_t>(1 + i);
    vsd.wants_master = i % 2 == 0;
    vsd.in_sync = i % 3 == 0;
    vsd.term = 7 + i;
    (i % 2 == 0 ? vsd.handed_to : vsd.follows) = UnitId{i};
    hb.vsds.push_back(vsd);
  }
  for (size_t i = 0; i < hearings; ++i) {
    core::Hearing hearing;
    hearing.unit = UnitId{0x0200000000c0 + i};
    hearing.epoch = 0xcafe0000 + static_cast<uint32_t>(i);
    hearing.sequence = 1000 + static_cast<uint32_t>(i);
    hearing.silence = std::chrono::microseconds(123456 + i);
    hearing.forgiven = std::chrono::microseconds(i);
    hearing.links = core::LinkSet(i % 32);
    hearing.relayed = i % 2 == 1;
    hb.heard.push_back(hearing);
  }
  return body;
}

inline wire::Bytes with(wire::Bytes bytes, size_t offset, uint8_t value) {
  bytes.at(offset) = value;
  return bytes;
}

}  // namespace nsrp::test
