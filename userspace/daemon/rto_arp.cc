// SPDX-License-Identifier: Apache-2.0
// Class arp: neighbours on the networks of VSIs. The peer's are installed as usable and to be confirmed, so that after
// a takeover the first packet of each flow goes out without a question being asked first; on a standby that has to ask
// for hundreds of addresses the kernel's queues overflow meanwhile.
#include <map>
#include <utility>

#include "daemon/rto_classes.h"
#include "io/clock.h"
#include "kernel/neighbours.h"
#include "rto/neighbour.h"

namespace nsrp::daemon {
namespace {

using kernel::NeighbourEntry;
using rto::Neighbour;

// An interface that goes down loses its entries; they come back this soon after it is up again.
constexpr seconds kRepairInterval{2};

class ArpClass : public RtoClass {
 public:
  const rto::ObjectRules& rules() const override { return rto::kArpRules; }
  Status start(io::Loop& loop, RtoClassHandlers handlers) override;
  void set_vsis(std::span<const RtoVsi> vsis) override;
  void apply(std::span<const rto::Object> objects) override;
  void withdraw(std::span<const rto::EndedObject> objects) override;
  void set_mastered(rto::VsdSet mastered) override;

 private:
  using Place = std::pair<IfIndex, IpAddress>;
  struct Wanted {
    VsdId vsd;
    Neighbour neighbour;
  };

  const RtoVsi* vsi_at(const Place& place) const;
  const RtoVsi* vsi_named(Vid vid) const;
  void on_events();
  void read_all();
  void take(const NeighbourEntry& entry);
  void install(const Wanted& wanted);
  void repair();

  io::Loop* loop_ = nullptr;
  RtoClassHandlers handlers_;
  std::unique_ptr<kernel::Neighbours> neighbours_;
  io::Watch watch_;
  std::vector<RtoVsi> vsis_;
  std::map<Place, NeighbourEntry> known_;  // usable, on the network of a VSI
  std::map<std::string, Wanted> wanted_;   // held for the peer
};

Status ArpClass::start(io::Loop& loop, RtoClassHandlers handlers) {
  loop_ = &loop;
  handlers_ = std::move(handlers);
  auto neighbours = kernel::Neighbours::open();
  if (!neighbours) return fail(neighbours.error());
  neighbours_ = std::move(*neighbours);
  watch_ = loop.watch(neighbours_->events_fd(), io::Loop::kReadable, [this] { on_events(); });
  repair();
  return {};
}

// By subnet. What lies in none, IPv6 link-local addresses above all, belongs to an interface's only VSI.
const RtoVsi* ArpClass::vsi_at(const Place& place) const {
  const RtoVsi* only = nullptr;
  size_t on_interface = 0;
  for (const RtoVsi& vsi : vsis_) {
    if (vsi.ifindex != place.first) continue;
    only = &vsi;
    ++on_interface;
    for (const Prefix& prefix : vsi.addresses) {
      if (prefix.contains(place.second)) return &vsi;
    }
  }
  return on_interface == 1 ? only : nullptr;
}

const RtoVsi* ArpClass::vsi_named(Vid vid) const {
  for (const RtoVsi& vsi : vsis_) {
    if (vsi.vid == vid) return &vsi;
  }
  return nullptr;
}

void ArpClass::set_vsis(std::span<const RtoVsi> vsis) {
  if (neighbours_ == nullptr || std::equal(vsis.begin(), vsis.end(), vsis_.begin(), vsis_.end())) return;
  for (const auto& [place, entry] : known_) {
    if (const RtoVsi* vsi = vsi_at(place)) handlers_.ended({vsi->vsd, rto::neighbour_key(vsi->vid, place.second)});
  }
  known_.clear();
  vsis_.assign(vsis.begin(), vsis.end());
  read_all();
  for (const auto& [key, wanted] : wanted_) install(wanted);
}

void ArpClass::on_events() {
  if (!neighbours_->consume_events([this](const NeighbourEntry& entry) { take(entry); })) return read_all();
  handlers_.told();
}

void ArpClass::read_all() {
  const Result<std::vector<NeighbourEntry>> all = neighbours_->all();
  if (!all) return handlers_.trouble(fail(all.error()));
  std::map<Place, NeighbourEntry> gone = known_;
  for (const NeighbourEntry& entry : *all) {
    gone.erase({entry.ifindex, entry.address});
    take(entry);
  }
  for (auto& [place, entry] : gone) {
    entry.usable = false;
    take(entry);
  }
  handlers_.told();
}

void ArpClass::take(const NeighbourEntry& entry) {
  const Place place{entry.ifindex, entry.address};
  const RtoVsi* vsi = vsi_at(place);
  const Neighbour neighbour{vsi != nullptr ? vsi->vid : Vid{}, entry.address, entry.mac};
  const rto::Object object = rto::to_object(vsi != nullptr ? vsi->vsd : VsdId{}, neighbour);
  // What a peer would refuse stays here: of an entry that has gone only the name counts.
  if (vsi == nullptr || !rto::kArpRules.valid_key(object.key)) return;
  if (entry.usable && !rto::kArpRules.valid_value(object.value)) return;
  if (entry.usable) {
    known_[place] = entry;
    handlers_.changed(object);
  } else if (known_.erase(place) > 0) {
    handlers_.ended({object.vsd, object.key});
  }
}

// What this device has just heard from the neighbour itself is better than what the peer remembers.
void ArpClass::install(const Wanted& wanted) {
  const RtoVsi* vsi = vsi_named(wanted.neighbour.vid);
  if (vsi == nullptr) return;
  const auto known = known_.find({vsi->ifindex, wanted.neighbour.address});
  if (known != known_.end()) {
    const NeighbourEntry& entry = known->second;
    if (entry.confirmed || (entry.for_peer && entry.mac == wanted.neighbour.mac)) return;
  }
  // A refusal is not told: the interface is down or going away, and repair() tries again.
  (void)neighbours_->install(vsi->ifindex, wanted.neighbour.address, wanted.neighbour.mac);
}

void ArpClass::apply(std::span<const rto::Object> objects) {
  if (neighbours_ == nullptr) return;
  for (const rto::Object& object : objects) {
    const auto neighbour = rto::neighbour_of(object.key, object.value);
    if (!neighbour) continue;
    const Wanted wanted{object.vsd, *neighbour};
    wanted_[object.key] = wanted;
    install(wanted);
  }
}

void ArpClass::withdraw(std::span<const rto::EndedObject> objects) {
  for (const rto::EndedObject& object : objects) {
    const auto found = wanted_.find(object.key);
    if (found == wanted_.end()) continue;
    const Neighbour neighbour = found->second.neighbour;
    wanted_.erase(found);
    const RtoVsi* vsi = vsi_named(neighbour.vid);
    if (vsi == nullptr) continue;
    const auto known = known_.find({vsi->ifindex, neighbour.address});
    if (known == known_.end() || !known->second.for_peer) continue;
    if (const Status removed = neighbours_->remove(vsi->ifindex, neighbour.address); !removed) {
      handlers_.trouble(removed);
    }
  }
}

void ArpClass::set_mastered(rto::VsdSet mastered) {
  std::erase_if(wanted_, [&](const auto& held) {
    const auto& [key, wanted] = held;
    if (!mastered.contains(wanted.vsd)) return false;
    const RtoVsi* vsi = vsi_named(wanted.neighbour.vid);
    const auto known = vsi != nullptr ? known_.find({vsi->ifindex, wanted.neighbour.address}) : known_.end();
    if (known != known_.end() && known->second.for_peer) {
      (void)neighbours_->adopt(vsi->ifindex, wanted.neighbour.address, wanted.neighbour.mac);
    }
    return true;
  });
}

void ArpClass::repair() {
  for (const auto& [key, wanted] : wanted_) install(wanted);
  loop_->call_at(io::now() + kRepairInterval, [this] { repair(); });
}

}  // namespace

std::unique_ptr<RtoClass> make_arp_class() {
  return std::make_unique<ArpClass>();
}

}  // namespace nsrp::daemon
