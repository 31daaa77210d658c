// SPDX-License-Identifier: Apache-2.0
// Two gateways in a network namespace each, joined by two HA links. Each has real BPF maps and conntrack; traffic is
// played by writing what the egress program would have written: the record, conntrack's entry, the event in the ring.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/rto_worker.h"
#include "kernel/conntrack.h"
#include "kernel/session_table.h"
#include "namespaces.h"

namespace nsrp::test {

using kernel::SessionEntry;

constexpr uint8_t kTcp = 6, kUdp = 17;

// Session number n of a client behind source NAT to nat_address:20000 + n.
SessionEntry session(uint16_t number, uint8_t vsd = 0, uint8_t nat_host = 1);
// The same by UDP.
SessionEntry udp_session(uint16_t number, uint32_t timeout_s);

class Gateway {
 public:
  static constexpr uint32_t kRoom = 20000;
  // A record and its event are two steps of the test, between which a busy machine may let much time pass.
  static constexpr milliseconds kAuditInterval{200}, kAuditSettle{1000};
  Gateway(const std::string& name, uint64_t unit, uint32_t room);
  ~Gateway();

  Namespace where;
  const UnitId unit;

  void start_worker();
  void stop_worker();
  void set_sync(bool on);
  void master(const std::set<VsdId>& vsds) { worker->set_mastered(vsds); }

  // A packet of the flow passed this gateway.
  void traffic(const SessionEntry& session, bool ring_is_full = false);
  // A packet passed a minute ago, of a flow older than the first listener: nobody will be told of its end.
  void old_traffic(const SessionEntry& session);
  void only_in_conntrack(const SessionEntry& session);  // an entry without a record
  void conntrack_ends(const nsrp_tuple& key);
  void forget_everything();
  void loses(const SessionEntry& session);  // record and entry, and nobody is told
  void write_record(const SessionEntry& session);

  std::optional<nsrp_session> record(const nsrp_tuple& key) const { return table_->find(key); }
  bool in_conntrack(const nsrp_tuple& key);
  std::string conntrack_line(uint16_t number);  // of session(number), as the conntrack tool prints it
  int timeout_s(const SessionEntry& session);   // of its entry; -1: there is none
  size_t records() const;
  uint64_t permit_ns() const;  // how long permits of the fast path last
  bool has(const SessionEntry& session);

  bool in_sync() const { return in_sync_; }
  bool barrier_done(uint64_t id) const;
  std::vector<std::string> events() const;

  std::unique_ptr<daemon::RtoWorker> worker;

 private:
  void count_full_ring();
  kernel::UniqueFd pinned(const std::string& map) const;
  std::string bpf_dir_;
  std::unique_ptr<kernel::Datapath> datapath_;
  std::unique_ptr<kernel::SessionTable> table_;
  std::unique_ptr<kernel::Conntrack> conntrack_;
  kernel::UniqueFd producer_;
  std::atomic<bool> in_sync_{false};
  mutable std::mutex mutex_;
  std::set<uint64_t> barriers_;
  std::vector<std::string> events_;
};

struct Pair {
  Gateway a, b;

  explicit Pair(uint32_t room_at_b = Gateway::kRoom);
  void meet(const std::string& link = "ha1");  // each is told where the other is
  void cut(const std::string& link);           // silently: the carrier stays
  void heal();
};

}  // namespace nsrp::test
