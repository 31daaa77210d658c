// SPDX-License-Identifier: Apache-2.0
// Inside a Member. Every event runs the same way (member.cc): account for our own lateness and for leases that ran out,
// apply the event, then settle: who is alive, which link does what, what each VSD group does now, what to say.
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
};

// A planned switch that waits for its barrier.
struct Handover {
  UnitId to;
  bool asked = false;  // `to` asked for it, and may think better of it
  VsdState after = VsdState::kBackup;
  std::string cause;
  Instant limit;
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
  // The lease is the long one and we were late: a peer may have appeared and taken over meanwhile. Until then we listen
  // and do not renew; the data path guards itself (struct nsrp_vsd_state).
  std::optional<Instant> doubt_until;
  std::set<UnitId> conflicts;  // other masters we have met and outrank

  uint8_t announces_left = 0;
  Instant next_announce{};
  Duration announce_gap{};

  std::optional<Handover> handover;
  UnitId handed_to;  // we yield to it
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

struct Peer {
  UnitId unit;
  bool alive = false;
  Silence silence;
  std::map<LinkIndex, Silence> links;
  uint64_t heartbeats = 0, missed = 0;
  std::vector<uint64_t> former_epochs;
  std::string lost_because;
  Heartbeat last;

  const VsdAdvert* advert(VsdId vsd) const;
};

struct Candidate {
  UnitId unit;
  bool named = false;  // by the master that released the VSD
  bool operable = true;
  bool in_sync = false;
  bool primary_backup = false;
  bool initial = false;
  uint8_t priority = 100;
};

struct Link {
  LinkFacts facts;
  bool alive = false;
};

inline bool is_backup(VsdState state) {
  return state == VsdState::kBackup || state == VsdState::kPrimaryBackup;
}
std::string words_ms(Duration d);  // "600 ms"

struct Member::Impl {
  Impl(MemberSettings s, Instant now, uint64_t boot_epoch, const std::vector<AdoptedLease>& adopted);

  // member.cc: the frame around every event.
  void start();
  void enter(Instant now);
  Actions settle();
  void evaluate(Vsd& v);
  void set_state(Vsd& v, VsdState to, std::string cause);
  void become_initial(Vsd& v, std::string cause);
  bool stopped() const { return gone; }

  // heartbeat.cc: what we say and when.
  Duration interval() const;
  Duration silence_limit() const;  // hb-threshold × hb-interval
  Duration hold_time() const;
  VsdAdvert advert(const Vsd& v) const;
  void speak();

  // peers.cc: who is there.
  void hear(LinkIndex link, LinkIndex sent_on, const Heartbeat& heartbeat);
  Peer* peer_for(UnitId unit);
  void note_changes(const Peer& peer, const Heartbeat& heartbeat, bool continues);
  void lose(Peer& peer, std::string evidence);
  void lose_silent_peers();
  void forgive(Duration lateness);
  Duration dead_after(const Peer& peer) const;
  Instant death_of(const Peer& peer) const { return peer.silence.from + dead_after(peer); }
  bool alive(UnitId unit) const;
  bool any_alive() const;
  bool others_alive(UnitId but) const;

  // links.cc: which link is control, which is data.
  bool heard_on(LinkIndex link) const;
  void assign_links();
  std::string link_names() const;

  // lease.cc: mastership in the data path.
  Duration lease_length() const;
  Duration alone_grace() const;
  bool alone() const;
  void grant(Vsd& v);
  void renew_leases();
  void check_leases();
  void lapse(Vsd& v, const std::string& cause);
  void promote(Vsd& v, const std::string& cause);
  void step_down(Vsd& v, VsdState to, std::string cause);

  // election.cc: who becomes master, who is primary backup.
  const Peer* living_master(const Vsd& v) const;
  UnitId named_successor(const Vsd& v) const;
  std::vector<Candidate> candidates(const Vsd& v) const;
  bool outranks(const Candidate& a, const Candidate& b) const;
  void decide(Vsd& v);
  bool elect(Vsd& v);
  bool may_stand(const Vsd& v) const;
  Duration patience(const Candidate& c) const;
  void follow(Vsd& v, const Peer& master);
  VsdState backup_role(Vsd& v, const Peer& master);
  std::string why_no_master(const Vsd& v) const;

  // handover.cc: planned switches.
  bool in_sync_enough(const Vsd& v) const;
  void update_wants(Vsd& v, const Peer& master);
  const Peer* successor(const Vsd& v) const;
  bool able(const Vsd& v, UnitId unit) const;
  void lead(Vsd& v);
  void answer_wants(Vsd& v);
  bool handover_stands(Vsd& v);
  void begin_handover(Vsd& v, UnitId to, VsdState after, std::string cause, bool asked);
  void finish_handover(Vsd& v);
  void release_to(Vsd& v, UnitId to, VsdState after, std::string cause);
  void end_yield(Vsd& v, bool master_known);
  void leave();

  // conflict.cc
  void meet_other_masters(Vsd& v);

  // announce.cc
  void start_announcing(Vsd& v);
  void announce_due();

  // command.cc
  std::optional<std::string> refusal(VsdId vsd, ModeCommand mode) const;
  void command(Vsd& v, ModeCommand mode);
  void command_master_away(Vsd& v, VsdState after, std::string cause);

  // settings.cc
  void apply_settings(MemberSettings next);
  void apply_health(std::optional<VsdId> vsd, bool operable, const std::string& reason);
  void refresh_health(Vsd& v);

  Instant next_deadline() const;  // deadline.cc

  MemberSettings settings;
  Instant now;
  uint64_t boot_epoch;
  bool started = false, leaving = false, gone = false;

  std::map<VsdId, Vsd> vsds;
  std::map<UnitId, Peer> peers;
  std::map<LinkIndex, Link> links;
  std::optional<LinkIndex> control, data;

  bool in_sync = false;
  UnitId rto_peer;
  std::optional<std::string> device_inoperable;
  std::map<VsdId, std::string> vsd_inoperable;

  // An hb-interval or hb-threshold was changed: until the peers know, the shorter of old and new counts.
  struct FormerPace {
    Duration interval, silence_limit;
    Instant until;
  };
  std::optional<FormerPace> former_pace;

  struct CatchingUp {
    Instant until, limit;
  };
  std::optional<CatchingUp> catching_up;  // after we stood still
  // Something changed by which the others rank us. They must have heard of it before we act on it, or two members
  // could each find themselves the best.
  Instant stand_from = Instant::min();

  Instant alone_from{};  // before, a peer not heard yet may still count on us
  Instant next_heartbeat{};
  uint64_t sequence = 0;
  bool speak_now = false;
  std::optional<Heartbeat> said;  // the last heartbeat

  Actions out;
};

}  // namespace nsrp::core
