// SPDX-License-Identifier: Apache-2.0
// The RTO thread: mirrors this device's sessions with the peer's.
//
//   auto worker = RtoWorker::start(datapath, {.on_in_sync = …, .on_barrier_done = …, .on_event = …});
//   (*worker)->set_settings(settings);
//   (*worker)->set_peer(RtoPeer{unit, link_local, ifindex});
//
// A thread of its own with its own loop: installing ten thousand sessions must never delay a heartbeat. Every function
// may be called from any thread and takes effect in the order of the calls.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "config/model.h"
#include "daemon/rto_channel.h"
#include "daemon/rto_classes.h"
#include "kernel/datapath.h"
#include "rto/mirror.h"

namespace nsrp::daemon {

// Called on the RTO thread.
struct RtoCallbacks {
  std::function<void(bool in_sync, UnitId peer)> on_in_sync;
  std::function<void(uint64_t barrier)> on_barrier_done;
  std::function<void(const std::string& text)> on_event;  // key=value …
  // The answer to acknowledge(id). Not by the peer: there is none, or it has gone.
  std::function<void(uint64_t id, bool by_peer)> on_acknowledged = [](uint64_t, bool) {};
  std::function<void(bool listens)> on_peer_listens = [](bool) {};  // changed: it is told of sessions
};

struct RtoView {
  rto::MirrorView mirror{};
  size_t not_installable = 0;  // sessions of the peer that conntrack refuses for good
  size_t sessions = 0;         // records of this device, counted a moment ago
};

class RtoWorker {
 public:
  // Acts in the network namespace of the caller. `datapath` outlives it.
  static Result<std::unique_ptr<RtoWorker>> start(const kernel::Datapath& datapath, RtoCallbacks callbacks);
  ~RtoWorker();  // ends the thread; no callback comes after it

  void set_peer(std::optional<RtoPeer> peer);
  void set_settings(rto::MirrorSettings settings);
  // `set nsrp rto-mirror session clear-on-inactive`: the sessions of a VSD that this device loses end here; what its
  // new master has of them comes back through the mirror.
  void set_clear_on_inactive(bool on);
  // Sessions with this mark stay here: the peer is told of none of them.
  void set_no_backup(std::optional<config::NoBackupMark> mark);
  void set_mastered(const std::set<VsdId>& mastered);
  // on_barrier_done(id) follows once the peer has every session there was at the time of the call.
  void begin_barrier(uint64_t id);
  // on_acknowledged(id, …) follows once the peer has every session whose record went to the ring of changes before the
  // call. Unlike a barrier it waits neither for the sweep nor for a cold sync. Ids are below 2^63.
  void acknowledge(uint64_t id);
  // Where the VSIs are on this device.
  void set_vsis(std::vector<RtoVsi> vsis);
  // `exec nsrp sync rto NAME [from peer]`: sends a class ("all": every one) again, or has the peer send everything.
  // Refused with a sentence: an unknown class, one that is not in this build, or a mirror that is off.
  Status resync(const std::string& name, bool from_peer);
  RtoView view() const;

 private:
  RtoWorker();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nsrp::daemon
