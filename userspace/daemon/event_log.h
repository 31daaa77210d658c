// SPDX-License-Identifier: Apache-2.0
// Events: one line each, key=value, with an id that stays the same over releases. The catalogue below is what
// docs/operations.md explains and what `get event` shows.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace nsrp::daemon {

enum class Level : uint8_t { kInfo, kNotice, kWarning, kError };

// X(id, name, level, what it means for the operator)
#define NSRP_EVENTS(X)                                                                                              \
  X(100, started, kNotice, "the daemon runs")                                                                       \
  X(101, stopping, kNotice, "a signal asked the daemon to stop; without --keep mastership is handed over first")    \
  X(102, stopped, kNotice, "the daemon has ended")                                                                  \
  X(103, adopted, kInfo, "maps and programs of an earlier run were taken over")                                     \
  X(104, realtime_refused, kWarning, "heartbeats run without real-time priority; they may be late on a busy box")   \
  X(105, upgraded, kNotice, "maps of an earlier version's layout were taken over; how many entries found no room")  \
  X(110, config_changed, kInfo, "a command changed the configuration")                                              \
  X(111, config_saved, kInfo, "the configuration was written to its file")                                          \
  X(112, config_apply_failed, kError, "the kernel refused a part of the configuration")                             \
  X(113, record_failed, kError, "the file of --record cannot be written; recording has ended")                      \
  X(200, vsd_state, kNotice, "a VSD group of this device changed its state, and why")                               \
  X(201, master_conflict, kWarning, "another master was heard; one of the two steps down at once")                  \
  X(202, handover_given_up, kWarning, "a planned switch did not take place; this device stays master")              \
  X(210, peer_up, kNotice, "a member of the cluster is heard")                                                      \
  X(211, peer_lost, kWarning, "a member is not heard any more; the evidence says on which links, for how long")     \
  X(220, ha_link_roles, kNotice, "the control or data link moved to another interface")                             \
  X(221, ha_link, kNotice, "an HA link gained or lost its carrier")                                                 \
  X(222, config_differs, kWarning, "the peer's configuration has another checksum")                                 \
  X(223, ha_link_state, kNotice, "an HA link became usable or not, judged by heartbeats and probes, and why")       \
  X(224, probes, kNotice, "probes sent by hand, and how many were answered")                                        \
  X(225, frame_problem, kWarning, "frames of another device are dropped: their sender and what is wrong with them") \
  X(226, frame_problem_over, kNotice, "frames of another device are dropped no longer")                             \
  X(227, protection, kNotice, "how this device's frames are protected, or who lacks the newest passwords")          \
  X(228, counters_cleared, kNotice, "the counters were cleared, as another member was told for the whole cluster")  \
  X(230, monitor, kWarning, "a monitored object failed or recovered")                                               \
  X(300, attached, kInfo, "programs attached to an interface, natively or generically")                             \
  X(301, interface_missing, kWarning, "a configured interface is not there; it is taken in when it appears")        \
  X(302, forwarding_off, kWarning, "the kernel does not forward: net.ipv4.ip_forward or its IPv6 twin is 0")        \
  X(303, sessions_unsupported, kWarning, "this kernel offers no conntrack to BPF programs: no session is mirrored") \
  X(304, table_full, kWarning,                                                                                      \
    "sessions that find no room are forwarded, but not mirrored, or not fast; or there is room again")              \
  X(305, data_link_mtu, kWarning, "full-size packets of an interface do not fit the data link, or fit it again")    \
  X(306, fast_path, kNotice, "what the fast path forwards, and between which interfaces")                           \
  X(400, rto, kInfo,                                                                                                \
    "the RTO channel was opened or closed, and why; sessions that could not be installed; what an audit found")     \
  X(401, rto_in_sync, kNotice, "this device holds (or no longer holds) the sessions of its peer")

enum class EventId : uint16_t {
#define NSRP_X(id, name, level, text) k_##name = id,
  NSRP_EVENTS(NSRP_X)
#undef NSRP_X
};

struct EventKind {
  EventId id;
  std::string_view name;
  Level level;
  std::string_view meaning;
};
const std::vector<EventKind>& event_catalogue();

struct Event {
  std::string time;  // local wall clock, RFC 3339 with milliseconds
  EventId id;
  std::string text;  // key=value …
};

class EventLog {
 public:
  static constexpr size_t kKept = 512;

  EventLog();
  // From any thread.
  void add(EventId id, const std::string& text);
  std::vector<Event> recent() const;

 private:
  mutable std::mutex mutex_;
  std::deque<Event> recent_;
};

// key="a value": quoted, with quotes and control characters made harmless.
std::string quote(std::string_view value);

}  // namespace nsrp::daemon
