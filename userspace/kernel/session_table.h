// SPDX-License-Identifier: Apache-2.0
// The BPF session map as user space sees it: the ring of changes, the sweep, and what the peer's sessions need.
// One thread uses it (the RTO thread).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "kernel/datapath.h"
#include "nsrp/abi/nsrp_abi.h"

namespace nsrp::kernel {

using SessionEntry = nsrp_session_event;  // key and record

class SessionTable {
 public:
  static Result<std::unique_ptr<SessionTable>> open(const Datapath& datapath);
  // The same on maps that belong to the caller, who keeps them open: for tools and tests.
  struct Maps {
    int sessions, reply_index, session_events;
  };
  static Result<std::unique_ptr<SessionTable>> open(const Maps& maps);
  ~SessionTable();

  int events_fd() const;  // readable when the ring holds events
  // Hands every waiting event to `consume`; returns how many.
  size_t consume_events(const std::function<void(const SessionEntry&)>& consume);

  std::optional<nsrp_session> find(const nsrp_tuple& key) const;
  // Every record, in batches (lookup_batch). One that is written meanwhile may be missed or seen twice.
  Status for_each(const std::function<void(std::span<const SessionEntry>)>& visit) const;
  // Records with NSRP_SESSION_DIRTY, which it clears. A change that a packet makes in the microsecond between reading
  // and writing back is lost from the record, not from conntrack: the flow's next packet, or the audit, mends it.
  Result<std::vector<SessionEntry>> take_dirty();

  // Inserts or replaces, flags included, and indexes by reply tuple (update_batch). Returns how many were stored; fewer
  // than given means the map is full.
  Result<size_t> put(std::span<const SessionEntry> entries);
  // Keys that are gone already are no error.
  Status remove(std::span<const nsrp_tuple> keys);
  Result<size_t> count() const;  // reads the whole map: a third of a second for a million records

 private:
  SessionTable();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nsrp::kernel
