// SPDX-License-Identifier: Apache-2.0
// One device in an NSRP cluster: all of its VSD groups, its view of the other members, its HA links.
//
//   Member member(settings, now, boot_epoch);
//   for (Action& a : member.on_heartbeat(now, link, sent_on, heartbeat)) carry_out(a);
//   … wait until member.next_deadline() or an event …
//   for (Action& a : member.on_time(now)) carry_out(a);
//
// Rules of mastership
//  * Lease. A master renews its lease with each heartbeat it sends, for hb-threshold × hb-interval less half an
//    interval from the moment of sending. A peer declares it dead after hb-threshold × hb-interval of silence, so the
//    lease has run out before. An expired lease is never renewed: the member steps down and listens again.
//  * Alone. While no peer is alive the lease is kAloneLease long. alone_grace is one interval shorter than a short
//  lease:
//    when a peer's first frame reaches us, it may have missed ours for an interval already.
//  * Terms. Each takeover raises the VSD's term. When two masters meet, the higher term survives (the network was told
//    last about that one); then the lower priority number; then the higher unit id. The survivor announces again.
//  * Handover. Preemption, `exec … mode`, and leaving are one protocol: the successor asks (wants_master) or is chosen;
//    the master runs a sync barrier and asks it to be ready (handing_to); once it is, the master revokes its lease,
//    from when on its data path passes everything on to the successor's, and says handed_to; the successor takes over.
//  * In sync. A member that needs RTOs and does not have them does not preempt and is the last choice in an election.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/action.h"
#include "core/message.h"

namespace nsrp::core {

struct VsdSettings {
  VsdId id;
  uint8_t priority = 100;  // 1..254
  bool preempt = false;
  seconds hold_down{0};     // 0..600 s
  bool ineligible = false;  // `set … mode ineligible`: takes no part in the election
};

struct ProbeSettings {  // `set nsrp ha-link probe`
  seconds interval{15};
  uint8_t threshold = 5;  // probes in a row without an answer
  bool operator==(const ProbeSettings&) const = default;
};

struct MemberSettings {
  UnitId unit;
  milliseconds hb_interval{1000};
  uint8_t hb_threshold = 3;    // >= 3
  uint8_t init_hold = 5;       // × hb_interval
  uint8_t announce_count = 4;  // `set nsrp arp`
  bool master_always_exist = false;
  bool sync_required = false;  // `set nsrp rto-mirror sync`
  std::optional<ProbeSettings> probe{};
  std::vector<VsdSettings> vsds{};
};

struct LinkFacts {
  bool present = false;  // configured
  bool carrier = false;
  uint32_t speed_mbps = 0;  // 0: unknown, taken as fast enough to carry packets
  std::string name;         // "ha1", for the operator
  bool operator==(const LinkFacts&) const = default;
};

enum class ModeCommand : uint8_t { kMaster, kBackup, kPrimaryBackup, kInitial, kIneligible };

// A lease an earlier run of the daemon left in the data path. While it is in force the peer cannot have taken over, so
// the member resumes as master.
struct AdoptedLease {
  VsdId vsd;
  Instant until;  // as the data path sees it: the earlier of master_until and, once a peer was seen, its grace's end
  uint64_t term;
};

struct VsdView {
  VsdSettings settings;
  VsdState state;
  uint64_t term;
  Instant since;
  std::string cause;  // of the last change
};
struct PeerView {
  UnitId unit;
  bool alive;                   // itself heard, or a third member hears it
  Instant last_heard;           // itself
  uint64_t heartbeats, missed;  // heard; gaps in the sequence
  struct OnLink {
    Instant last_heard;
    uint64_t heartbeats, missed;  // on this link
    Duration jitter;              // of the arrival, smoothed as in RFC 3550, 6.4.1
    bool both_ways;               // and it says that it hears us on this link
  };
  std::map<LinkIndex, OnLink> links;
  Duration jitter;  // the same of the first copies
  Heartbeat last;
};
struct LinkView {
  LinkFacts facts;
  bool alive;         // a living peer and this member hear each other on it, and probes are answered
  std::string cause;  // of alive or not
  uint64_t probes_sent, probes_answered;
  uint8_t probes_unanswered;  // in a row
};

class Member {
 public:
  static constexpr seconds kAloneLease{3600};
  static constexpr milliseconds kHandoverLimit{1000};  // how long a barrier may delay a planned switch
  static constexpr milliseconds kDrain{200};           // packets in the old master's stack are out by then

  Member(MemberSettings settings, Instant now, uint64_t boot_epoch, const std::vector<AdoptedLease>& adopted = {});
  ~Member();
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  [[nodiscard]] Actions start(Instant now);  // the first heartbeat, resumed masterships
  // `link` it came in on, `sent_on` at its sender.
  [[nodiscard]] Actions on_heartbeat(Instant now, LinkIndex link, LinkIndex sent_on, const Heartbeat& heartbeat);
  [[nodiscard]] Actions on_link(Instant now, LinkIndex link, LinkFacts facts);
  [[nodiscard]] Actions on_sync(Instant now, bool in_sync, UnitId rto_peer);
  // A monitor's verdict on this device (nullopt) or on one VSD (manual ch. 3): inoperable and back.
  [[nodiscard]] Actions on_health(Instant now, std::optional<VsdId> vsd, bool operable, const std::string& reason);
  [[nodiscard]] Actions on_barrier_done(Instant now, VsdId vsd);
  [[nodiscard]] Actions on_probe_answer(Instant now, LinkIndex link, uint64_t id);
  // `exec nsrp probe`: one each second; ends with ProbesDone. Refused on a link without carrier.
  [[nodiscard]] Result<Actions> on_probe_command(Instant now, LinkIndex link, std::optional<MacAddress> to,
                                                 uint8_t count);
  [[nodiscard]] Actions on_settings(Instant now, MemberSettings settings);
  [[nodiscard]] Result<Actions> on_command(Instant now, VsdId vsd, ModeCommand mode);
  // This device has cleared its counters; the others that are alive now shall, too.
  [[nodiscard]] Actions on_clear_command(Instant now);
  [[nodiscard]] Actions begin_leave(Instant now);  // ends with MayExit
  [[nodiscard]] Actions on_time(Instant now);
  Instant next_deadline() const;

  std::vector<VsdView> vsds() const;
  std::vector<PeerView> peers() const;
  std::map<LinkIndex, LinkView> links() const;
  std::optional<LinkIndex> control_link() const;
  std::optional<LinkIndex> data_link() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nsrp::core
