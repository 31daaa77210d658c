// SPDX-License-Identifier: Apache-2.0
// Who is there: what the others said last, and when silence means death.
#include <algorithm>

#include "core/member_impl.h"

namespace nsrp::core {

namespace {
constexpr size_t kMaxPeers = 16;  // a flood of invented unit ids must not fill the memory
constexpr size_t kMaxFormerRuns = 4;
}  // namespace

std::string words_ms(Duration d) {
  return std::to_string(to_ms(d)) + " ms";
}

const VsdAdvert* Peer::advert(VsdId vsd) const {
  const auto it = std::find_if(last.vsds.begin(), last.vsds.end(), [vsd](const VsdAdvert& a) { return a.vsd == vsd; });
  return it == last.vsds.end() ? nullptr : &*it;
}

Duration Member::Impl::dead_after(const Peer& peer) const {
  return std::max<Duration>(silence_limit(), peer.last.hb_interval * peer.last.hb_threshold);
}

bool SequenceLog::note(uint64_t sequence) {
  if (sequence > latest_) {
    const uint64_t step = sequence - latest_;
    before_ = step < 64 ? before_ << step : 0;
    if (step <= 64) before_ |= uint64_t{1} << (step - 1);
    if (latest_ == 0) before_ = ~uint64_t{0};  // what was before the first we heard is not missed
    if (latest_ != 0) missed_ += step - 1;
    latest_ = sequence;
    ++heard_;
    return true;
  }
  const uint64_t back = latest_ - sequence;
  if (back == 0 || back > 64 || (before_ >> (back - 1) & 1) != 0) return false;
  before_ |= uint64_t{1} << (back - 1);
  if (missed_ > 0) --missed_;  // it was late, not lost
  ++heard_;
  return true;
}

void Jitter::note(Instant arrival, uint64_t sequence, Duration interval) {
  const Duration gap = arrival - last_;
  const bool regular = sequence == sequence_ + 1 && gap > interval / 2 && gap < 2 * interval;
  if (regular) value_ += (std::max(gap - interval, interval - gap) - value_) / 16;
  last_ = arrival;
  sequence_ = sequence;
}

bool Member::Impl::alive(UnitId unit) const {
  const auto it = peers.find(unit);
  return it != peers.end() && it->second.alive;
}

bool Member::Impl::any_alive() const {
  return std::any_of(peers.begin(), peers.end(), [](const auto& entry) { return entry.second.alive; });
}

bool Member::Impl::others_alive(UnitId but) const {
  return std::any_of(peers.begin(), peers.end(),
                     [but](const auto& entry) { return entry.second.alive && entry.first != but; });
}

// The record of a unit; room is made at the cost of the one dead for longest. nullptr: too many are alive.
Peer* Member::Impl::peer_for(UnitId unit) {
  if (const auto it = peers.find(unit); it != peers.end()) return &it->second;
  if (peers.size() >= kMaxPeers) {
    auto oldest = peers.end();
    for (auto it = peers.begin(); it != peers.end(); ++it) {
      if (it->second.alive) continue;
      if (oldest == peers.end() || it->second.silence.heard < oldest->second.silence.heard) oldest = it;
    }
    if (oldest == peers.end()) return nullptr;
    peers.erase(oldest);
  }
  Peer& peer = peers[unit];
  peer.unit = unit;
  return &peer;
}

void Member::Impl::hear_on_link(Peer& peer, LinkIndex link, LinkIndex sent_on, const Heartbeat& heartbeat) {
  PeerOnLink& on_link = peer.links[link];
  on_link.silence = {now, now};
  on_link.sent_on = sent_on;
  if (on_link.log.note(heartbeat.sequence)) on_link.jitter.note(now, heartbeat.sequence, heartbeat.hb_interval);
}

void Member::Impl::hear(LinkIndex link, LinkIndex sent_on, const Heartbeat& heartbeat) {
  if (heartbeat.unit == settings.unit || sent_on.value >= kLinks || links.count(link) == 0) return;
  Peer* peer = peer_for(heartbeat.unit);
  if (peer == nullptr) return;
  const bool known = peer->log.heard() > 0;
  const bool same_run = known && peer->last.boot_epoch == heartbeat.boot_epoch;
  if (known && !same_run && is_of_former_run(*peer, heartbeat)) return;
  if (same_run && heartbeat.sequence <= peer->last.sequence) {  // a copy from another link, or late
    peer->log.note(heartbeat.sequence);
    hear_on_link(*peer, link, sent_on, heartbeat);
    return;
  }
  if (known && !same_run) {
    keep_last_word(*peer);
    change_run(*peer);
  }
  const bool continues = same_run && peer->alive;
  if (same_run && !peer->alive) begin_run(*peer);  // what went by while it was dead is no news
  note_changes(*peer, heartbeat, continues);
  take_clears(heartbeat, continues);
  peer->log.note(heartbeat.sequence);
  peer->jitter.note(now, heartbeat.sequence, heartbeat.hb_interval);
  peer->last = heartbeat;
  peer->silence = {now, now};
  hear_on_link(*peer, link, sent_on, heartbeat);
  take_hearings(*peer);
  if (heartbeat.leaving) {
    if (peer->alive) lose(*peer, to_string(peer->unit) + " left in order");
  } else if (!peer->alive) {
    peer->alive = true;
    speak_now = started;  // it should not wait for our next slot to learn who is here
    out.push_back(PeerUp{peer->unit});
    announce_to_returned(*peer);
  }
  for (auto& [id, v] : vsds) {
    if (v.doubt_until) {
      lapse(v, "its lease may have run out while the process stood still and " + to_string(peer->unit) + " appeared");
    }
  }
}

void Member::Impl::note_changes(const Peer& peer, const Heartbeat& heartbeat, bool continues) {
  for (const VsdAdvert& advert : heartbeat.vsds) {
    const auto it = vsds.find(advert.vsd);
    if (it == vsds.end()) continue;
    Vsd& v = it->second;
    if (!continues) v.waits.erase(peer.unit);  // a new life of it gets its time anew
    // It knows of a mastership that we do not: a third member has just taken over, and its own word is under way.
    const bool rumour = advert.term > v.seen && advert.state != VsdState::kMaster;
    if (rumour && others_alive(peer.unit)) v.listen_until = now + silence_limit();
    // Or it came and went while we were master: the network was told of that one last.
    if (rumour && v.state == VsdState::kMaster) announce_again(v);
    v.seen = std::max(v.seen, advert.term);
    const VsdAdvert* before = continues ? peer.advert(advert.vsd) : nullptr;
    if (advert.state == VsdState::kPrimaryBackup && v.state == VsdState::kPrimaryBackup && before != nullptr &&
        before->state != VsdState::kPrimaryBackup) {
      v.challenged = true;
    }
  }
}

// Manual ch. 1, "Creating an NSRP Cluster", note 1: `clear cluster …` reaches all members. A number that is said again
// in each heartbeat cannot get lost. What was cleared before a member came, or came back, is not its business.
void Member::Impl::take_clears(const Heartbeat& heartbeat, bool continues) {
  if (static_cast<int16_t>(heartbeat.clears - clears) <= 0) return;
  clears = heartbeat.clears;
  if (continues) out.push_back(ClearCounters{heartbeat.unit});
}

// A late frame of a run that has ended. Runs have no order, so what was taken for the older one may turn out to be the
// living one: it goes on speaking while the other is silent.
bool Member::Impl::is_of_former_run(const Peer& peer, const Heartbeat& heartbeat) const {
  // Only an older run speaks of an older run of ours, and that a run ends is no news if we did not know that it began.
  const bool present_knows_us = hearing_of_us(peer) != nullptr;
  const bool knows_former_us = hearing_of_former_run(heartbeat) != nullptr;
  if ((present_knows_us && knows_former_us) || heartbeat.leaving) return true;
  const auto run = std::find_if(peer.former_runs.begin(), peer.former_runs.end(),
                                [&](const Peer::Run& former) { return former.epoch == heartbeat.boot_epoch; });
  if (run == peer.former_runs.end()) return false;
  const bool silent = now >= peer.silence.heard + Duration(peer.last.hb_interval) * 3 / 2;
  return !silent || heartbeat.sequence <= run->sequence;
}

void Member::Impl::change_run(Peer& peer) {
  std::erase_if(peer.former_runs, [&](const Peer::Run& run) { return run.epoch == peer.last.boot_epoch; });
  peer.former_runs.push_back({peer.last.boot_epoch, peer.last.sequence});
  if (peer.former_runs.size() > kMaxFormerRuns) peer.former_runs.erase(peer.former_runs.begin());
  if (peer.alive) lose(peer, to_string(peer.unit) + " restarted");
  begin_run(peer);
}

void Member::Impl::begin_run(Peer& peer) {
  peer.log.begin_run();
  for (auto& [index, on_link] : peer.links) on_link.log.begin_run();
  peer.deaf_since.reset();
  peer.has_heard_us = false;
  peer.relayed_from = Instant::min();
}

void Member::Impl::lose(Peer& peer, std::string evidence) {
  peer.alive = false;
  peer.lost_because = evidence;
  out.push_back(PeerLost{peer.unit, std::move(evidence)});
}

void Member::Impl::lose_silent_peers() {
  for (auto& [unit, peer] : peers) {
    if (!peer.alive || now < death_of(peer)) continue;
    const std::string where = silent_links();
    lose(peer, "no heartbeat of " + to_string(unit) + " for " + words_ms(now - peer.silence.heard) +
                   (where.empty() ? "" : " on " + where));
  }
}

// While we stood still nobody could be heard: what we were waiting for gets that time once more. And what is heard now
// may be old, frames that lay in the socket meanwhile: for one interval nothing is taken over, so that everybody's
// present word comes in. A device that is always late must not wait forever, hence the limit.
void Member::Impl::forgive(Duration lateness) {
  if (!catching_up) {
    catching_up = CatchingUp{.until = now + interval(), .limit = now + silence_limit()};
  } else {
    catching_up->limit += lateness;
    catching_up->until = std::max(now, std::min(now + interval(), catching_up->limit));
  }
  const auto later = [&](Instant& t) { t = std::min(now, t + lateness); };
  for (auto& [unit, peer] : peers) {
    later(peer.silence.from);
    for (auto& [link, on_link] : peer.links) later(on_link.silence.from);
  }
  for (auto& [id, v] : vsds) {
    v.hold_until += lateness;
    if (v.listen_until) *v.listen_until += lateness;
    for (auto& [unit, until] : v.waits) until += lateness;
  }
}

}  // namespace nsrp::core
