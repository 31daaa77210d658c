// SPDX-License-Identifier: Apache-2.0
// Conntrack's timeouts of sessions that change hands, put right in the background: a handover itself touches nothing.
//
// A device that loses a VSD keeps its entries until the new master ends them: none of them may run out here, where no
// packet refreshes it. A device that gains one gives what it kept its proper timeout back: an entry of which no packet
// came since then ends when it would have ended on the master before.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "kernel/conntrack.h"
#include "kernel/session_table.h"
#include "rto/vsd_set.h"

namespace nsrp::daemon {

class RtoTimeouts {
 public:
  // A copy lives at least this long here, whatever the master's timer says: its next packet may pass here.
  static constexpr uint32_t kMinTimeoutSeconds = 600;
  // The master tells of an unchanged session every 30 s at most: the copy must not end before the original.
  static constexpr uint32_t kRefreshSlackSeconds = 60;
  // Traffic puts most entries right by itself in this time.
  static constexpr seconds kSettleAfter{5};
  // A packet may be on its way just when an entry gets its timeout.
  static constexpr uint32_t kLeastLeftSeconds = 5;
  // What the old master had in its stack at a handover goes out through it, for so long at most.
  static constexpr seconds kDrained{3};
  static constexpr size_t kChunk = 1024;  // records a step

  RtoTimeouts(const kernel::SessionTable& table, kernel::Conntrack& conntrack) : table_(table), conntrack_(conntrack) {}

  void set_mastered(Instant now, rto::VsdSet mastered);
  // Sessions of a VSD mastered here were installed: the peer's last words.
  void installed_as_master(Instant now, rto::VsdSet vsds);
  void set_tcp_established(uint32_t seconds) { tcp_established_s_ = seconds; }
  uint32_t tcp_established_s() const { return tcp_established_s_; }

  // One step, if there is something to do. True: there is more to do right away.
  Result<bool> step(Instant now);

 private:
  // One reading of the whole table.
  struct Pass {
    rto::VsdSet vsds, next;  // being read for, and to be read for once more
    Instant at;              // when the next one may begin
    bool running = false;
    kernel::SessionTable::Cursor cursor;

    void want(Instant when, rto::VsdSet more);
    bool due(Instant now);
  };

  std::optional<kernel::Conntrack::Adjustment> kept(const kernel::SessionEntry& entry, Instant now, bool late) const;
  std::optional<kernel::Conntrack::Adjustment> settled(const kernel::SessionEntry& entry, Instant now) const;
  template <class Choose>
  Result<bool> step(Pass& pass, Choose choose);

  const kernel::SessionTable& table_;
  kernel::Conntrack& conntrack_;
  uint32_t tcp_established_s_ = 0;
  rto::VsdSet mastered_;
  std::array<uint64_t, NSRP_MAX_VSDS> changed_ns_{};  // when a VSD was gained or lost last
  Pass keep_, keep_drained_, settle_;
};

}  // namespace nsrp::daemon
