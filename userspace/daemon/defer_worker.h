// SPDX-License-Identifier: Apache-2.0
// The thread that holds first packets of sessions until the peer has the session (`set nsrp vsd-group id N defer`).
//
//   auto worker = DeferWorker::start(datapath, {.ask = …, .on_event = …});
//   (*worker)->set_settings({.bounds = {{vsd, 10ms}}, .mastered = …});
//   (*worker)->set_peer_listens(true);
//   … ask(id) leads to acknowledge(id, by_peer), from any thread.
//
// A thread of its own: neither the installing of ten thousand sessions nor anything else may make a packet wait for
// longer than its bound. The data path holds packets only as long as this thread says again and again that it is there.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "kernel/datapath.h"
#include "rto/held_packets.h"
#include "rto/vsd_set.h"

namespace nsrp::daemon {

// Called on the thread.
struct DeferCallbacks {
  // Answered by acknowledge(id, …) once the peer has every session there is now, or when nobody will say so.
  std::function<void(uint64_t id)> ask;
  std::function<void(const std::string& text)> on_event;  // key=value …
};

struct DeferSettings {
  std::map<VsdId, Duration> bounds;  // of the VSDs that defer
  rto::VsdSet mastered;
  bool operator==(const DeferSettings&) const = default;
};

struct DeferView {
  std::map<VsdId, rto::ReleaseCounts> released;
  std::map<VsdId, uint64_t> unsent;  // of these: the kernel did not take them back
};

class DeferWorker {
 public:
  // `datapath` outlives it.
  static Result<std::unique_ptr<DeferWorker>> start(const kernel::Datapath& datapath, DeferCallbacks callbacks);
  ~DeferWorker();

  void set_settings(DeferSettings settings);
  // There is a peer that takes our sessions. Without one nothing is held.
  void set_peer_listens(bool listens);
  void acknowledge(uint64_t id, bool by_peer);
  // Sends what is held and ends the thread; no callback comes after it. The other functions may still be called.
  void stop();
  DeferView view() const;

 private:
  DeferWorker();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nsrp::daemon
