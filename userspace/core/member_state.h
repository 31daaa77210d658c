// SPDX-License-Identifier: Apache-2.0
// What a Member knows of its VSD groups, its peers and its links.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/member.h"

namespace nsrp::core {

// What we promised the data path.
struct Lease {
  Instant granted = Instant::min(), until = Instant::min();
  Duration alone_grace{0};
  std::string cap_cause;  // not empty: it ends earlier than it could, because of this
};

// A planned switch that waits for its barrier, and for the successor to be ready.
struct Handover {
  UnitId to;
  bool asked = false;  // `to` asked for it, and may think better of it
  VsdState after = VsdState::kBackup;
  std::string cause;
  uint64_t told_from;  // the first heartbeat that asks it to be ready
  Instant limit;       // of the barrier
  Instant answer_limit;
  bool synced = false;
};

struct Vsd {
  VsdSettings settings;
  VsdState state = VsdState::kInitial;
  uint64_t term = 0;  // of our own mastership
  uint64_t seen = 0;  // the highest term anybody spoke of, ours included
  Instant since{};
  std::string cause;

  Instant hold_until{};                 // initial: not before
  std::optional<Instant> listen_until;  // a master may be there that we have not heard yet: no election before

  Lease lease;
  // Resumed after a restart: the others still count from the last heartbeat of the run before, until they have heard
  // us.
  std::optional<Instant> resumed_until;
  uint64_t told_from = 0;  // the first heartbeat of our present mastership
  // The lease is the long one and we were late: a peer may have appeared and taken over meanwhile. Until then we listen
  // and do not renew; the data path guards itself (struct nsrp_vsd_state).
  std::optional<Instant> doubt_until;
  std::set<UnitId> conflicts;  // other masters we have met and outrank

  bool bows_out = false;  // configured ineligible, and still to become so

  uint8_t announces_left = 0;
  Instant next_announce{};
  Duration announce_gap{};

  std::optional<Handover> handover;
  bool ready = false;  // to succeed the master, who has asked for that
  // The same in the data path.
  std::optional<Instant> succession_until;
  UnitId handed_to;  // we yield to it
  // Whom a master named that has restarted since: what it said counts as long as its silence would.
  struct LastWord {
    UnitId successor;
    uint64_t term;
    Instant until;
  };
  std::optional<LastWord> last_word;
  Instant yield_until{};

  UnitId followed;                  // the master we last followed
  std::map<UnitId, Instant> waits;  // the better candidate, and until when it may come first; those who let that pass
  bool wants = false;               // asks the master to hand over
  bool commanded = false;           // because the operator said so
  std::optional<Instant> preempt_since;

  bool challenged = false;              // another member has just become primary backup
  std::optional<Instant> insist_until;  // `exec … mode pb`: the others step back

  bool inoperable = false;
  std::string inoperable_because;
};

struct Silence {
  Instant heard{};
  Instant from{};  // when the silence began to count: `heard`, moved by our own lateness
};

// Which of a run's heartbeats came: the latest, and the 64 before it.
class SequenceLog {
 public:
  bool note(uint64_t sequence);  // false: a copy of one that has come, or older than all that
  uint64_t heard() const { return heard_; }
  uint64_t missed() const { return missed_; }
  void begin_run() { latest_ = before_ = 0; }

 private:
  uint64_t latest_ = 0, before_ = 0;  // bit n: latest_ - 1 - n has come
  uint64_t heard_ = 0, missed_ = 0;
};

// How irregularly heartbeats arrive (RFC 3550, 6.4.1). Those that a change sent out of turn do not count.
class Jitter {
 public:
  void note(Instant arrival, uint64_t sequence, Duration interval);
  Duration value() const { return value_; }

 private:
  Instant last_{};
  uint64_t sequence_ = 0;
  Duration value_{0};
};

struct PeerOnLink {
  Silence silence;
  LinkIndex sent_on;  // the link it leaves the peer on
  SequenceLog log;
  Jitter jitter;
};

struct Peer {
  UnitId unit;
  bool alive = false;  // itself heard, or a third member says so
  Silence silence;
  // What third members have told while it was silent here: it spoke then.
  Instant relayed_from = Instant::min();
  uint32_t relayed_sequence = 0;
  std::map<LinkIndex, PeerOnLink> links;
  SequenceLog log;
  Jitter jitter;
  std::optional<Instant> deaf_since;  // its heartbeats do not say that it hears us
  bool has_heard_us = false;          // in this life of it they have said so
  Instant last_nudge = Instant::min();
  struct Run {
    uint64_t epoch, sequence;
  };
  std::vector<Run> former_runs;
  std::string lost_because;
  Heartbeat last;

  const VsdAdvert* advert(VsdId vsd) const;
  Instant lives_from() const { return std::max(silence.from, relayed_from); }
};

struct Candidate {
  UnitId unit;
  bool named = false;  // by the master that released the VSD
  bool deaf = false;   // does not hear us, and so decides without us
  bool operable = true;
  bool in_sync = false;
  bool primary_backup = false;
  uint8_t priority = 100;
};

struct Probing {
  uint64_t sent = 0, answered = 0;
  uint8_t unanswered = 0;  // in a row
  bool down = false;
  std::optional<Instant> next;          // when the next one is due
  std::optional<uint64_t> waiting_for;  // the last one's id, unanswered so far
  struct Command {                      // `exec nsrp probe`
    std::optional<MacAddress> to;
    uint8_t count, sent = 0, answered = 0;
    Instant next;
  };
  std::optional<Command> command;
};

struct Link {
  LinkFacts facts;
  bool alive = false;
  Probing probing;
};

// Who has the better right to be master, of two that are.
struct Claim {
  bool deaf;
  uint64_t term;
  uint8_t priority;
  UnitId unit;
};
bool beats(const Claim& a, const Claim& b);

inline bool is_backup(VsdState state) {
  return state == VsdState::kBackup || state == VsdState::kPrimaryBackup;
}
std::string words_ms(Duration d);  // "600 ms"

// An hb-interval or hb-threshold was changed, perhaps several times: until the peers know, the most careful of all
// counts.
struct FormerPace {
  Duration shortest_interval, longest_interval;
  Duration lease;
  Instant until;
};
FormerPace joined(const FormerPace& a, const FormerPace& b);

}  // namespace nsrp::core
