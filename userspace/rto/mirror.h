// SPDX-License-Identifier: Apache-2.0
// One member's side of an RTO mirror (manual ch. 1, "Setting an RTO Mirror State"): sender for the sessions of VSDs it
// masters, receiver for the rest, both over one connection.
//
// States: undefined (no cluster, or sync off) → set (waiting for the peer) → active (r-ready answered by group-active,
// both ways). Lost heartbeats, a closed channel or group-detach lead back to set.
//
// Every connection begins with a cold sync: SyncBegin, all sessions, SyncEnd; changes that happen meanwhile flow in
// between. A receiver is in sync from SyncEnd until the connection ends. Repeated changes of one session that still
// wait collapse into one; when more than kMaxPendingSessions wait, they are dropped for a new cold sync (memory is
// bounded, nothing is lost).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "rto/codec.h"

namespace nsrp::rto {

enum class MirrorState : uint8_t { kUndefined, kSet, kActive };
std::string_view to_string(MirrorState state);

struct MirrorSettings {
  UnitId unit;
  ClusterId cluster;
  uint64_t boot_epoch = 0;
  bool sync = false;
  seconds hb_interval{4};
  unsigned hb_threshold = 16;
};

// What the mirror asks for, in order.
struct Send { std::vector<uint8_t> bytes; };                // on the channel; answered by on_sent()
struct Install { std::vector<Session> sessions; };          // into BPF and conntrack; the answer is on_installed()
struct Remove { std::vector<nsrp_tuple> keys; };
struct ReadAllSessions {};                                  // call on_snapshot() with chunks, then on_snapshot_end()
struct InSync { bool value; UnitId peer; };                 // changed: an input of the election
struct BarrierDone { uint64_t id; };
struct CloseChannel { std::string reason; };
using MirrorAction = std::variant<Send, Install, Remove, ReadAllSessions, InSync, BarrierDone, CloseChannel>;
using MirrorActions = std::vector<MirrorAction>;

struct MirrorView {
  MirrorState state;
  bool sync, in_sync;
  UnitId peer;
  uint64_t sent, received, ended, pending, cold_sync_total, cold_sync_received;
};

class Mirror {
 public:
  static constexpr size_t kMaxPendingSessions = 1 << 20;

  explicit Mirror(MirrorSettings settings);
  ~Mirror();

  [[nodiscard]] MirrorActions on_connected(Instant now);
  [[nodiscard]] MirrorActions on_disconnected(Instant now);
  [[nodiscard]] MirrorActions on_bytes(Instant now, std::span<const uint8_t> bytes);
  // The channel has room again: at most `bytes` are handed out per call (back-pressure).
  [[nodiscard]] MirrorActions on_writable(Instant now, size_t bytes);
  [[nodiscard]] MirrorActions on_installed(Instant now, uint64_t failed);

  // A session of this box changed or ended. Sessions that came from the peer are not sent back.
  void on_local_session(const Session& session);
  void on_local_end(const nsrp_tuple& key);
  void on_snapshot(std::span<const Session> sessions);
  void on_snapshot_end();

  [[nodiscard]] MirrorActions begin_barrier(Instant now, uint64_t id);  // done at once without an active peer
  [[nodiscard]] MirrorActions on_settings(Instant now, MirrorSettings settings);
  [[nodiscard]] MirrorActions resync(Instant now);  // `exec nsrp sync rto session`
  [[nodiscard]] MirrorActions on_time(Instant now);
  Instant next_deadline() const;
  MirrorView view() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nsrp::rto
