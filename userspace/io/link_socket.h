// SPDX-License-Identifier: Apache-2.0
// Raw Ethernet frames on one interface: NSRP's heartbeats in and out, announcements out.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/ids.h"
#include "base/result.h"
#include "io/fd.h"

namespace nsrp::io {

class LinkSocket {
 public:
  // Receives frames of `ethertype`; 0: sends only.
  static Result<LinkSocket> open(IfIndex ifindex, uint16_t ethertype);

  int fd() const { return fd_.get(); }
  IfIndex ifindex() const { return ifindex_; }
  // A whole frame with its Ethernet header. False when the kernel did not take it (link down, queue full): the next
  // heartbeat follows, so nobody retries.
  bool send(std::span<const uint8_t> frame) const;
  // Hands the waiting frames to `consume`, at most `limit` of them: what more has come is there in the next round of
  // the loop, behind the timers that are due.
  void receive(size_t limit, const std::function<void(std::span<const uint8_t>)>& consume) const;
  // Frames the kernel threw away since the last call, because more came than were taken.
  uint64_t overflowed() const;

 private:
  LinkSocket(Fd fd, IfIndex ifindex) : fd_(std::move(fd)), ifindex_(ifindex) {}
  Fd fd_;
  IfIndex ifindex_;
};

}  // namespace nsrp::io
