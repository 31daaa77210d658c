// SPDX-License-Identifier: Apache-2.0
// Sessions that were there before the daemon: conntrack entries without a record, made before its first start or while
// its programs were not attached. A flow that is not idle is recorded with its next packet; one that is would be
// unknown to the peer until then, and lost in a takeover.
//
// Each VSD has its turn once, when this device masters it for the first time since the start, unless the peer has told
// all there is of it before.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "daemon/rto_classes.h"
#include "kernel/conntrack_reader.h"
#include "kernel/route_lookup.h"
#include "kernel/session_table.h"
#include "rto/vsd_set.h"

namespace nsrp::daemon {

class RtoAdoption {
 public:
  static constexpr seconds kAfter{2};         // addresses and routes of a new master are in place, and traffic has come
  static constexpr size_t kChunk = 128;       // entries a step, each of which may cost two questions about a route
  static constexpr size_t kMaxKnown = 10000;  // destinations whose VSD is remembered

  explicit RtoAdoption(const kernel::SessionTable& table) : table_(table) {}

  void set_vsis(std::span<const RtoVsi> vsis) { vsis_.assign(vsis.begin(), vsis.end()); }
  void set_mastered(Instant now, rto::VsdSet mastered);
  // The peer has told all sessions of these.
  void told_by_peer(rto::VsdSet vsds) { waiting_ = waiting_ - vsds; }

  // One step, if there is something to do: the records to be made, and whether there is more to do right away.
  struct Step {
    std::vector<kernel::SessionEntry> found;
    bool more = false;
  };
  Result<Step> step(Instant now);

 private:
  Status begin();
  std::optional<VsdId> vsd_behind(const IpAddress& address);
  // Of a flow that is forwarded from one VSI to another; that of the VSI it leaves through, as with its first packet.
  std::optional<VsdId> vsd_of(const kernel::SessionEntry& entry);

  const kernel::SessionTable& table_;
  std::vector<RtoVsi> vsis_;
  rto::VsdSet mastered_, waiting_ = rto::VsdSet::from_bits(~uint64_t{0}), running_;
  Instant at_;
  std::unique_ptr<kernel::ConntrackReader> reader_;
  std::optional<kernel::RouteLookup> routes_;
  std::map<IpAddress, std::optional<VsdId>> known_;
};

}  // namespace nsrp::daemon
