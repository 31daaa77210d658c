// SPDX-License-Identifier: Apache-2.0
// The insides of a Mirror: connection and states (mirror.cc), and what messages do (mirror_receive.cc).
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rto/mirror.h"

namespace nsrp::rto {

struct Mirror::Impl {
  // More answers than this waiting for room means a peer that asks and never reads.
  static constexpr size_t kMaxControlMessages = 256;

  Impl(MirrorSettings s, const std::vector<ObjectRules>& classes, size_t max_pending)
      : settings(s), sender(max_pending), streams(classes.begin(), classes.end()) {}

  bool enabled() const { return settings.sync && settings.cluster.value != 0; }
  VsdSet told() const { return settings.send_sessions ? mastered : VsdSet{}; }  // whose sessions the peer is told of
  MirrorState state() const;
  void reset_connection();
  void control(MirrorActions& out, const Message& message);
  void close(MirrorActions& out, std::string reason);
  void set_in_sync(MirrorActions& out, bool value);
  void stop_sending(MirrorActions& out);
  void request_sync(MirrorActions& out);
  void lack(MirrorActions& out, uint64_t sessions);
  void sync_settled(MirrorActions& out);

  // mirror_receive.cc
  void receive(Instant now, MirrorActions& out, Message message);
  void on(Instant now, MirrorActions& out, Hello message);
  void on(Instant now, MirrorActions& out, ReceiverReady message);
  void on(Instant now, MirrorActions& out, GroupActive message);
  void on(Instant now, MirrorActions& out, GroupDetach message);
  void on(Instant now, MirrorActions& out, RtoHeartbeat message);
  void on(Instant now, MirrorActions& out, SessionPut message);
  void on(Instant now, MirrorActions& out, SessionEnd message);
  void on(Instant now, MirrorActions& out, SyncBegin message);
  void on(Instant now, MirrorActions& out, SyncEnd message);
  void on(Instant now, MirrorActions& out, RepairBegin message);
  void on(Instant, MirrorActions& out, ObjectPut message) { receive_object(out, std::move(message)); }
  void on(Instant, MirrorActions& out, ObjectEnd message) { receive_object(out, std::move(message)); }
  void on(Instant, MirrorActions& out, ObjectSync message) { receive_object(out, message); }
  void on(Instant, MirrorActions& out, ObjectSyncEnd message) { receive_object(out, message); }
  template <class ObjectMessage>
  void receive_object(MirrorActions& out, ObjectMessage message);
  void on(Instant now, MirrorActions& out, AuditBegin message);
  void on(Instant now, MirrorActions& out, AuditDigests message);
  void on(Instant now, MirrorActions& out, AuditResult message);
  void on(Instant now, MirrorActions& out, Barrier message);
  void on(Instant now, MirrorActions& out, BarrierAck message);
  bool may_receive(MirrorActions& out);
  ObjectStream* stream(ClassId id);

  // mirror_audit.cc
  void audit_tick(Instant now, MirrorActions& out);
  void finish_audit(Instant now, MirrorActions& out);
  void give_up_audit(MirrorActions& out);

  MirrorSettings settings;
  VsdSet mastered;
  Sender sender;
  std::vector<ObjectStream> streams;  // the other classes

  // of the connection
  bool connected = false;
  bool closing = false;
  Decoder decoder;
  std::optional<Hello> peer;
  std::deque<std::vector<uint8_t>> control_queue;  // small messages; they overtake sessions
  bool receiving = false;                          // the peer's group-active has come
  bool in_sync = false;
  Instant last_heard, next_heartbeat, next_ready;
  VsdSet shared;  // VSDs whose sessions both members have, by a sync of this connection in either direction
  VsdSet missed;  // VSDs the peer synced while this device mastered them too

  struct IncomingSync {
    SyncBegin begin;
    VsdSet refused;
    uint64_t received = 0;
    std::optional<BucketSet> only;  // a repair
    size_t repairs = 0;             // buckets
  };
  std::optional<IncomingSync> incoming;
  AuditCopy audit;
  uint64_t sync_total = 0, sync_received = 0;  // of the latest one, for the view

  uint64_t missing = 0;        // of what the peer has told or withheld since it last began to tell everything
  bool sync_complete = false;  // the latest cold sync has ended
  Duration repair_pause{};     // before room is taken for a reason to begin anew
  Instant next_repair;

  size_t installing = 0;                 // Install actions not answered yet
  std::vector<uint64_t> unacknowledged;  // barriers behind them

  uint64_t received = 0, refused = 0, failed = 0;
};

}  // namespace nsrp::rto
