// SPDX-License-Identifier: Apache-2.0
// One member's side of an RTO mirror (manual ch. 1, "Setting an RTO Mirror State"): sender for the sessions of VSDs it
// masters, receiver for the rest, both over one connection.
//
//   for (MirrorAction& action : mirror.on_bytes(now, bytes)) carry_out(action);
//   while (mirror.wants_write() && room > 0) … mirror.on_writable(now, room) …
//
// States: undefined (no cluster, or sync off) → set (waiting for the peer) → active (r-ready answered by group-active,
// both ways). Lost heartbeats, a closed channel or group-detach lead back to set.
//
// Every connection begins with a cold sync: SyncBegin, all sessions of the VSDs the sender masters, SyncEnd; changes
// that happen meanwhile flow in between. Whatever the receiver holds of these VSDs and the sync did not repeat is gone
// at the sender too and is removed. A member that masters nothing sends an empty sync. A receiver is in sync from
// SyncEnd until the next SyncBegin or the end of the connection. A VSD gained later is synced when the peer cannot
// have its sessions already. A receiver that could not install all it was told of (no room), or was not told of all, is
// not in sync but degraded; once there is room it asks for everything again, ever less often while that does not help.
//
// Mastership decides, not where a record came from: after a takeover the new master's table is the truth, with what it
// had received. A receiver that masters a VSD itself takes nothing of it that could replace a record of its own.
//
// Classes of objects other than sessions (rto/object_stream.h) go the same way by the same rules; sessions decide about
// being in sync.
//
// What both members hold is compared in the background (rto/audit.h); buckets that differ are told again.
//
// Memory is bounded: changes that wait collapse per session, and beyond kMaxPendingSessions they are dropped for a new
// cold sync. Hostile or broken input closes the channel.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "rto/audit.h"
#include "rto/codec.h"
#include "rto/object_stream.h"
#include "rto/sender.h"
#include "rto/vsd_set.h"

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
  Duration audit_interval = seconds(10);  // at least, between rounds
  Duration audit_settle = AuditSource::kSettle;
  bool send_sessions = true;  // off: `set nsrp rto-mirror session off`; the peer's are taken all the same
  bool operator==(const MirrorSettings&) const = default;
};

// What the mirror asks for, in order. ReadSessions and ReadForAudit (rto/sender.h) are answered with on_snapshot…() and
// on_audit_read().
struct Send {
  std::vector<uint8_t> bytes;
};
struct Install {  // into BPF and conntrack; the answer is on_installed()
  std::vector<Session> sessions;
  // Of a VSD mastered here: last words of the master before. What exists here is newer and stays; what does not is
  // installed and from then on a session of this device: told with on_local_session().
  bool only_missing;
};
struct Remove {
  std::vector<nsrp_tuple> keys;
};
struct Restate {  // the peer ended sessions of a VSD mastered here: on_local_session() for those that exist
  std::vector<nsrp_tuple> keys;
};
struct SyncStarted {};  // the peer's cold sync begins: after the actions before, before those that follow
struct SyncFinished {   // records of these VSDs that were not installed since SyncStarted are to be removed
  VsdSet vsds;
  std::optional<BucketSet> only = std::nullopt;  // of these buckets
};
struct ApplyObjects {  // of the peer
  ClassId id;
  std::vector<Object> objects;
};
struct WithdrawObjects {
  ClassId id;
  std::vector<EndedObject> objects;
};
struct AuditDiffers {  // the peer will tell these buckets again
  size_t buckets;
};
struct InSync {  // changed: an input of the election
  bool value;
  UnitId peer;
};
struct BarrierDone {
  uint64_t id;
  bool by_peer;  // no: there is no active peer, or none any more
};
struct CloseChannel {  // followed by on_disconnected()
  std::string reason;
};
using MirrorAction = std::variant<Send, Install, Remove, Restate, SyncStarted, SyncFinished, ReadSessions, ReadForAudit,
                                  ApplyObjects, WithdrawObjects, AuditDiffers, InSync, BarrierDone, CloseChannel>;
using MirrorActions = std::vector<MirrorAction>;

struct MirrorView {
  MirrorState state;
  bool sync, in_sync;
  uint64_t missing;  // sessions of the peer's that this device lacks, as far as it knows; not 0: degraded
  UnitId peer;
  uint64_t sent, received, ended, pending, cold_sync_total, cold_sync_received;
  uint64_t refused;                   // the peer's records of VSDs mastered here
  uint64_t failed;                    // the peer's records this device could not install
  uint64_t unsendable;                // records of this device that no decoder would accept
  std::vector<ObjectView> objects;    // the classes other than sessions
  AuditView audit_here, audit_there;  // of the peer's sessions here, of this device's at the peer
};

class Mirror {
 public:
  static constexpr size_t kMaxPendingSessions = 1 << 18;
  static constexpr uint64_t kWorthwhileRoom = 4096;  // as many free places are reason enough to try again
  static constexpr seconds kFirstRepairPause{10}, kLastRepairPause{320};

  explicit Mirror(MirrorSettings settings, std::vector<ObjectRules> classes = {},
                  size_t max_pending = kMaxPendingSessions);
  ~Mirror();

  [[nodiscard]] MirrorActions on_connected(Instant now);
  [[nodiscard]] MirrorActions on_disconnected(Instant now);
  [[nodiscard]] MirrorActions on_bytes(Instant now, std::span<const uint8_t> bytes);
  // The channel has room: at most `bytes` are handed out per call (back-pressure). All sending happens here.
  [[nodiscard]] MirrorActions on_writable(Instant now, size_t bytes);
  bool wants_write() const;
  // `failed` of the sessions of one Install could not be installed.
  [[nodiscard]] MirrorActions on_installed(uint64_t failed);
  // Sessions that were installed, in part or for the time being, had to be given up.
  [[nodiscard]] MirrorActions on_given_up(uint64_t sessions);
  // Said now and then: this device's tables have room for as many sessions.
  [[nodiscard]] MirrorActions on_room(Instant now, uint64_t room);

  // A session of this device changed or ended. Those of VSDs it does not master are not the mirror's business.
  void on_local_session(const Session& session);
  void on_local_end(const EndedSession& ended);
  // The same for objects of the other classes. Those of all VSDs are told, at the start all there are.
  void on_local_object(ClassId id, const Object& object);
  void on_local_object_end(ClassId id, const EndedObject& ended);
  // Answers to ReadSessions: begin when it says from_start, then records read from now on, end after the last one.
  void on_snapshot_begin(uint64_t total);
  void on_snapshot(std::span<const Session> sessions);
  void on_snapshot_end();
  // The answer to ReadForAudit: the records of one step.
  [[nodiscard]] MirrorActions on_audit_read(Instant now, bool own, std::span<const Session> sessions, bool at_end);

  // Which VSDs this device masters. Changes of a VSD that was lost belong before this call and still go out.
  [[nodiscard]] MirrorActions set_mastered(VsdSet mastered);
  [[nodiscard]] MirrorActions begin_barrier(uint64_t id, BarrierOf what = BarrierOf::kEverything);
  [[nodiscard]] MirrorActions on_settings(Instant now, MirrorSettings settings);
  // `exec nsrp sync rto …`: sends all of a class again, or asks the peer to send all of every class.
  void resync(ClassId id);
  [[nodiscard]] MirrorActions fetch();
  [[nodiscard]] MirrorActions on_time(Instant now);
  Instant next_deadline() const;
  MirrorView view() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nsrp::rto
