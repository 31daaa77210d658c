// SPDX-License-Identifier: Apache-2.0
// Inside a Member. Every event runs the same way (member.cc): account for our own lateness and for leases that ran out,
// apply the event, then settle: who is alive, which link does what, what each VSD group does now, what to say.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/member_state.h"
#include "core/transitions.h"

namespace nsrp::core {

struct Member::Impl {
  Impl(MemberSettings s, Instant now, uint64_t boot_epoch, const std::vector<AdoptedLease>& adopted);

  // member.cc: the frame around every event.
  void start();
  void enter(Instant now);
  Actions settle();
  void evaluate(Vsd& v);
  void set_state(Vsd& v, VsdState to, Cause why, std::string cause);
  void become_initial(Vsd& v, Cause why, std::string cause);
  bool stopped() const { return gone; }

  // heartbeat.cc: what we say and when.
  Duration interval() const;
  Duration silence_limit() const;  // hb-threshold × hb-interval
  Duration hold_time() const;
  VsdAdvert advert(const Vsd& v) const;
  UnitId followed_now(const Vsd& v) const;
  bool in_doubt() const;
  void speak();

  // peers.cc: who is there.
  void hear(LinkIndex link, LinkIndex sent_on, const Heartbeat& heartbeat);
  void hear_on_link(Peer& peer, LinkIndex link, LinkIndex sent_on, const Heartbeat& heartbeat);
  Peer* peer_for(UnitId unit);
  void note_changes(const Peer& peer, const Heartbeat& heartbeat, bool continues);
  void take_clears(const Heartbeat& heartbeat, bool continues);
  bool is_of_former_run(const Peer& peer, const Heartbeat& heartbeat) const;
  void change_run(Peer& peer);
  void begin_run(Peer& peer);
  void lose(Peer& peer, std::string evidence);
  void lose_silent_peers();
  void forgive(Duration lateness);
  Duration dead_after(const Peer& peer) const;
  Instant death_of(const Peer& peer) const { return peer.lives_from() + dead_after(peer); }
  bool direct(const Peer& peer) const { return peer.alive && now < peer.silence.from + dead_after(peer); }
  bool alive(UnitId unit) const;
  bool any_alive() const;
  bool others_alive(UnitId but) const;

  // hearing.cc: acknowledgements, and what third members tell.
  const Hearing* hearing_of_us(const Peer& peer) const;
  const Hearing* hearing_of_former_run(const Heartbeat& heartbeat) const;
  bool misses_us(const Hearing& hearing) const;
  void take_hearings(Peer& peer);
  void take_relay(const Hearing& hearing);
  std::vector<Hearing> hearings() const;
  bool deaf(const Peer& peer) const;
  std::optional<Instant> sent_at(uint32_t sequence) const;
  UnitId hearsay_master(const Vsd& v) const;
  const Hearing* fresh_hearing(const Peer& teller, UnitId unit) const;
  Duration nudge_after(const Peer& peer) const { return Duration(peer.last.hb_interval) * 5 / 4; }
  Instant next_nudge(const Peer& peer) const;
  void nudge_silent_peers();

  // links.cc: which link is control, which is data.
  bool fresh_on(const Peer& peer, LinkIndex link) const;
  bool both_ways(const Peer& peer, LinkIndex link) const;
  LinkSet heard_links(const Peer& peer) const;
  std::string why(LinkIndex index, const Link& link) const;
  bool any_before(LinkIndex index) const;
  void judge_link(LinkIndex index, Link& link);
  void assign_links();
  std::string silent_links() const;
  bool secondary_needed() const;
  LinkSet speaking_links() const;
  std::string name_of(LinkIndex link) const;

  // probes.cc
  void probe_due();
  void probe_due(LinkIndex index, Link& link);
  void send_probe(LinkIndex index, Probing& probing, std::optional<MacAddress> to);
  void probe_answered(LinkIndex index, uint64_t id);
  std::optional<Instant> next_probe(LinkIndex index, const Link& link) const;

  // lease.cc: mastership in the data path.
  Duration lease_length() const;
  Duration alone_grace() const;
  bool alone() const;
  struct Cap {
    Instant until;
    std::string cause;
  };
  std::optional<Cap> patience_of(const Peer& peer, const Vsd& v) const;
  bool acts_without_us(const Peer& peer, const Vsd& v) const;
  std::optional<Cap> lease_cap(const Vsd& v) const;
  void check_caps();
  void grant(Vsd& v, Instant said_at);
  void renew_leases();
  void check_leases();
  void lapse(Vsd& v, const std::string& cause);
  void give_way(Vsd& v, const std::string& cause);
  void promote(Vsd& v, Cause why, const std::string& cause);
  void step_down(Vsd& v, VsdState to, Cause why, std::string cause, Duration drain = Duration(0));

  // election.cc: who becomes master, who is primary backup.
  const Peer* living_master(const Vsd& v) const;
  void wait_for_hearsay(Vsd& v, UnitId master);
  bool promised_to_wait(const Vsd& v) const;
  UnitId named_successor(const Vsd& v) const;
  void keep_last_word(const Peer& peer);
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
  bool successor_is_ready(const Vsd& v) const;
  void pursue_handover(Vsd& v);
  void give_up(const Vsd& v, const Handover& handover, std::string cause);
  void release_to(Vsd& v, UnitId to, VsdState after, std::string cause);
  void end_yield(Vsd& v, bool master_known);
  void leave();

  // succession.cc: the same, seen by the successor.
  const Peer* hands_to_us(const Vsd& v) const;
  std::optional<Instant> succession(const Peer& master) const;
  void prepare_to_succeed(Vsd& v);
  void withdraw(Vsd& v);

  // conflict.cc
  void meet_other_masters(Vsd& v);
  bool yields_to_hearsay(Vsd& v);

  // announce.cc
  void start_announcing(Vsd& v);
  void announce_again(Vsd& v);
  void announce_to_returned(const Peer& peer);
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
  Instant spoke{};                                              // the last heartbeat
  std::array<std::pair<uint64_t, Instant>, 256> spoke_times{};  // by sequence
  const uint64_t first_probe_id;                                // not to be guessed from afar
  uint64_t probe_id;
  bool on_secondary = false;  // heartbeats go over the secondary path, too
  bool speak_now = false;
  uint16_t clears = 0;            // see Heartbeat
  std::optional<Heartbeat> said;  // the last heartbeat, but for whom it said to hear
  std::map<UnitId, LinkSet> said_hears;

  Actions out;
};

}  // namespace nsrp::core
