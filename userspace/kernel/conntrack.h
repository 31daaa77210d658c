// SPDX-License-Identifier: Apache-2.0
// conntrack through ctnetlink: installing the peer's sessions with their NAT, deleting them, and hearing of ends.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "kernel/session_table.h"

namespace nsrp::kernel {

struct InsertResult {
  struct Failure {
    size_t index;  // of the entry
    int error;
  };
  size_t installed = 0;  // created or updated
  std::vector<Failure> failures;
};

class Conntrack {
 public:
  static Result<std::unique_ptr<Conntrack>> open();
  ~Conntrack();

  // Creates the entries, or updates those that exist, in batches: NAT from the difference of the two tuples, TCP state
  // with BE_LIBERAL in both directions, mark, status (SEEN_REPLY, ASSURED: never taken back). A timeout is at least
  // `min_timeout_s`. An entry with the same original tuple and another translation is replaced. One whose reply tuple
  // belongs to another flow fails (EEXIST), as does what makes no sense as one flow (EINVAL); the others go in.
  // Translation works only where the ruleset has a nat chain (an empty one will do).
  // `known_status` may name, for each entry, the status with which conntrack has it already, as far as the caller knows
  // (0: it does not have it). Right, it makes a change one request instead of three; wrong, it costs one more.
  Result<InsertResult> install(std::span<const SessionEntry> entries, uint32_t min_timeout_s,
                               std::span<const uint32_t> known_status = {});
  // What changes of an entry that exists: its timeout (0: stays) and, of TCP, whether windows are checked.
  struct Adjustment {
    nsrp_tuple key;
    uint32_t timeout_s;
    bool liberal;  // in both directions; false: stays as it is
  };
  // Entries that are gone already are no error, nor are those with a timeout that a rule has fixed.
  Status adjust(std::span<const Adjustment> changes);
  // Deletes by original tuple; entries that are gone already are no error. A key that is the reply tuple of another
  // flow would delete that one: the caller must know that the flow is there.
  Status remove(std::span<const nsrp_tuple> keys);
  // When an answer to a flow passes here before the flow itself is known, conntrack takes it for a flow of its own,
  // which then stands in the way. Deletes such entries, as long as nobody has answered them. Returns how many.
  Result<size_t> remove_misread_answers(std::span<const SessionEntry> flows);
  // True when an entry with this original tuple exists.
  Result<bool> exists(const nsrp_tuple& key);
  Result<std::vector<bool>> exist(std::span<const nsrp_tuple> keys);
  Result<size_t> count();
  Result<size_t> capacity();  // nf_conntrack_max
  uint32_t tcp_established_timeout_s();

  // The end of entries, whoever ended them. None is lost: what finds no room in the socket's buffer the kernel keeps,
  // counts against nf_conntrack_max, and delivers later. So read soon. Entries older than the first open() in this
  // namespace may end in silence: exist() tells. Does not block.
  int destroy_fd() const;
  void consume_destroyed(const std::function<void(const nsrp_tuple&)>& ended);

 private:
  Conntrack();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nsrp::kernel
