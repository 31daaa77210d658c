// SPDX-License-Identifier: Apache-2.0
// Packets that tc egress gives away to be held (bpf/defer.h). As long as an object of this class lives there is
// somebody to give them to; with the process it goes, and the kernel knows at once.
//
// One thread uses it.
#pragma once

#include <memory>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "kernel/datapath.h"
#include "rto/held_packets.h"

namespace nsrp::kernel {

class HeldFrames {
 public:
  static Result<std::unique_ptr<HeldFrames>> open(const Datapath& datapath);
  ~HeldFrames();

  int fd() const;                       // readable when there are any
  std::vector<rto::HeldPacket> take();  // those that have come, in the order of time
  // A packet that was taken has been sent, or will never be.
  void let_go(const nsrp_held_packet& packet) noexcept;

  // The first packet of a session of this VSD is held until `until`, those behind it until `behind_until`.
  void hold(VsdId vsd, Instant until, Instant behind_until) noexcept;
  void hold_nothing() noexcept;

 private:
  HeldFrames();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nsrp::kernel
