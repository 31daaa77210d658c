// SPDX-License-Identifier: Apache-2.0
// Two devices with a session table each, their mirrors, and a byte pipe between them that cuts the stream anywhere and
// can break at any byte.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "rto/mirror.h"
#include "sessions.h"

namespace nsrp::rto::test {

struct TupleLess {
  bool operator()(const nsrp_tuple& a, const nsrp_tuple& b) const { return std::memcmp(&a, &b, sizeof a) < 0; }
};

// A class of objects: any key, any value but "bad".
inline const ObjectRules kTestClass{ClassId::kArp, "test", 50, [](const std::string&) { return true; },
                                    [](const std::string& value) { return value != "bad"; }};

struct Side {
  struct Record {
    Session session;
    uint64_t stamp;
  };

  Side(uint64_t unit, size_t max_pending);

  Mirror mirror;
  std::map<nsrp_tuple, Record, TupleLess> table;
  size_t table_limit = SIZE_MAX;
  std::map<std::string, Object> objects;
  VsdSet mastered;
  std::deque<uint8_t> sent;              // on its way to the other side
  std::deque<Session> ring;              // changes the mirror has not been told of
  uint64_t clock = 0, sync_started = 0;  // count changes of the table
  std::optional<nsrp_tuple> read_until;  // the table being read: which record was the last
  std::array<std::optional<nsrp_tuple>, 2> audited_until;
  size_t differing = 0;  // buckets an audit found here
  bool in_sync = false;
  std::vector<uint64_t> barriers_done;
  std::vector<std::string> closed;  // reasons
  size_t reads_from_start = 0;
  size_t largest_send = 0;

  void drain_ring();
};

class World {
 public:
  static constexpr size_t kPipeBytes = 5000;
  static constexpr size_t kReadStep = 17;

  explicit World(uint64_t seed, size_t max_pending = Mirror::kMaxPendingSessions);

  Side& side(size_t index) { return sides_[index]; }
  size_t random(size_t below) { return below == 0 ? 0 : random_() % below; }
  void wait(Duration time);
  Instant now() const { return now_; }

  void connect();
  void disconnect();
  bool connected() const { return connected_; }
  void master(size_t index, VsdSet vsds);

  // What the device's traffic does.
  void change(size_t index, const Session& session);
  void end(size_t index, const EndedSession& ended);
  void barrier(size_t index, uint64_t id, BarrierOf what = BarrierOf::kEverything);
  void learn(size_t index, const Object& object);
  void forget(size_t index, const std::string& key);

  // Until rounds of audits have ended in both directions, changes included that `traffic` makes meanwhile.
  void audit(size_t rounds = 1, const std::function<void()>& traffic = nullptr);

  bool step();    // something random that can happen next on the channel; false: all is quiet
  void settle();  // until all is quiet

  void carry_out(size_t index, MirrorActions actions);

 private:
  bool can_write(const Side& side) const;
  // Records behind `until`, which moves on; true: these were the last ones.
  static bool read_table(const Side& side, std::optional<nsrp_tuple>& until, size_t limit, std::vector<Session>& step);
  void do_action(size_t index, Send& send);
  void do_action(size_t index, Install& install);
  void do_action(size_t index, Remove& remove);
  void do_action(size_t index, Restate& restate);
  void do_action(size_t index, SyncStarted& started);
  void do_action(size_t index, SyncFinished& finished);
  void do_action(size_t index, ReadSessions& read);
  void do_action(size_t index, ReadForAudit& read);
  void do_action(size_t index, AuditDiffers& found) { sides_[index].differing += found.buckets; }
  void do_action(size_t index, ApplyObjects& apply);
  void do_action(size_t index, WithdrawObjects& withdraw);
  void do_action(size_t index, InSync& in_sync);
  void do_action(size_t index, BarrierDone& done);
  void do_action(size_t index, CloseChannel& close);
  void deliver(size_t to);

  std::mt19937_64 random_;
  Instant now_{seconds(1000)};
  bool connected_ = false, closing_ = false;
  std::array<Side, 2> sides_;
};

}  // namespace nsrp::rto::test
