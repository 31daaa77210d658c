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
    int fast_flows = -1;  // none
  };
  static Result<std::unique_ptr<SessionTable>> open(const Maps& maps);
  ~SessionTable();

  int events_fd() const;  // readable when the ring holds events
  // Hands every waiting event to `consume`; returns how many.
  size_t consume_events(const std::function<void(const SessionEntry&)>& consume);

  std::optional<nsrp_session> find(const nsrp_tuple& key) const;
  // A place in the table, for reading it in steps with any time in between. The place is one of the kernel's hash
  // buckets, each read under its lock: a record that is there from the first step to the last is read exactly once,
  // in some state it was in meanwhile; one that comes or goes may be read or not.
  class Cursor {
   public:
    bool at_end() const { return at_end_; }

   private:
    friend class SessionTable;
    nsrp_tuple position_{};  // the kernel's bookmark: at most the size of a key
    bool begun_ = false, at_end_ = false;
  };
  // The next records, about `limit` of them, into `entries`, which it empties before. None may be left: at_end() tells.
  Status read(Cursor& cursor, size_t limit, std::vector<SessionEntry>& entries) const;
  // Every record, in batches of a few thousand.
  Status for_each(const std::function<void(std::span<const SessionEntry>)>& visit) const;
  // Records with NSRP_SESSION_DIRTY, which it clears. A change that a packet makes in the microsecond between reading
  // and writing back is lost from the record, not from conntrack: the flow's next packet, or the audit, mends it.
  Result<std::vector<SessionEntry>> take_dirty();

  // Inserts or replaces, flags included, and indexes by reply tuple (update_batch). Returns how many were stored; fewer
  // than given means the map is full.
  Result<size_t> put(std::span<const SessionEntry> entries);
  // The same for a caller who has just looked: what find() said of each.
  using Present = std::optional<nsrp_session>;
  Result<size_t> put(std::span<const SessionEntry> entries, std::span<const Present> present);
  // Keys that are gone already are no error. What ends goes fast no more.
  Status remove(std::span<const nsrp_tuple> keys);
  Result<size_t> count() const;  // reads the whole map: a third of a second for a million records
  // How many records put() has added and remove() has removed so far.
  uint64_t added() const;
  uint64_t removed() const;
  size_t capacity() const;

 private:
  SessionTable();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nsrp::kernel
