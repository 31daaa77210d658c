// SPDX-License-Identifier: Apache-2.0
// With whom this device mirrors its sessions and shares the data link. Both are between two members (manual ch. 1, RTO
// Mirror), also in a cluster of more.
#include <algorithm>

#include "daemon/daemon.h"
#include "io/clock.h"

namespace nsrp::daemon {

namespace {

const core::PeerView* only_living(const ControlView& view) {
  const core::PeerView* only = nullptr;
  for (const core::PeerView& peer : view.peers) {
    if (!peer.alive) continue;
    if (only != nullptr) return nullptr;
    only = &peer;
  }
  return only;
}

const core::PeerView* living_in(const ControlView& view, VsdId vsd, core::VsdState state) {
  for (const core::PeerView& peer : view.peers) {
    const auto is = [&](const core::VsdAdvert& advert) { return advert.vsd == vsd && advert.state == state; };
    if (peer.alive && std::ranges::any_of(peer.last.vsds, is)) return &peer;
  }
  return nullptr;
}

const PeerAddress* address_of(const ControlView& view, UnitId unit, std::optional<core::LinkIndex> link) {
  const auto addresses = view.peer_addresses.find(unit);
  if (!link || addresses == view.peer_addresses.end()) return nullptr;
  const auto address = addresses->second.find(*link);
  return address == addresses->second.end() ? nullptr : &address->second;
}

}  // namespace

// The other one of two. Of more it is the member on the other side of the lowest VSD of which this device is master or
// primary backup, so that master and primary backup choose each other; a mere backup mirrors with nobody.
const core::PeerView* Daemon::partner(const ControlView& view) const {
  if (const core::PeerView* only = only_living(view)) return only;
  for (const core::VsdView& vsd : view.vsds) {  // in order of their ids
    const core::PeerView* found = nullptr;
    if (vsd.state == core::VsdState::kMaster) {
      found = living_in(view, vsd.settings.id, core::VsdState::kPrimaryBackup);
    } else if (vsd.state == core::VsdState::kPrimaryBackup) {
      found = living_in(view, vsd.settings.id, core::VsdState::kMaster);
    }
    if (found != nullptr) return found;
  }
  return nullptr;
}

std::optional<RtoPeer> Daemon::rto_peer(const ControlView& view, const core::PeerView& peer) const {
  const PeerAddress* address = address_of(view, peer.unit, view.control);
  if (address == nullptr || address->link_local.is_unspecified()) return {};
  const auto link = links_.find(link_names(config_)[*view.control]);
  if (link == links_.end()) return {};
  return RtoPeer{peer.unit, address->link_local, link->second.ifindex, view.keys};
}

void Daemon::refresh_peer() {
  const auto view = control_->view();  // held: the control thread replaces it at any moment
  const core::PeerView* other = partner(*view);
  refresh_data_link(*view, other);
  rto_peer_ = other == nullptr ? std::nullopt : rto_peer(*view, *other);
  rto_->set_peer(rto_peer_);
  compare_checksums();
}

void Daemon::refresh_data_link(const ControlView& view, const core::PeerView* partner) {
  std::optional<kernel::DataLink> wanted;
  if (partner != nullptr && view.data) {
    const auto link = links_.find(link_names(config_)[*view.data]);
    const PeerAddress* address = address_of(view, partner->unit, view.data);
    if (link != links_.end() && address != nullptr) {
      wanted = kernel::DataLink{link->second.ifindex, link->second.mac, address->mac};
    }
  }
  // After a restart that of the former run serves until the peer was heard, or would have been.
  if (!wanted && datapath_->adopted() && io::now() < data_link_kept_until_) return;
  data_link_ = wanted;
  if (Status set = datapath_->set_data_link(wanted, config_.cluster, config_.data_forwarding); !set) {
    events_.add(EventId::k_config_apply_failed, "cause=" + quote("data link: " + set.error().message));
  }
  report_data_link_mtu();
}

// The tag may exceed the MTU (docs/bpf.md), the packet may not. A VSI on a VLAN device needs no more: its tag is gone
// before the packet crosses.
void Daemon::report_data_link_mtu() {
  if (!data_link_ || !config_.data_forwarding) return;
  const auto link =
      std::ranges::find(links_, data_link_->ifindex, [](const auto& known) { return known.second.ifindex; });
  if (link == links_.end()) return;
  std::set<std::string> larger;
  for (const config::Vsi& vsi : config::vsis_of(config_)) {
    const auto traffic = links_.find(vsi.ifname);
    if (traffic != links_.end() && traffic->second.mtu > link->second.mtu) larger.insert(vsi.ifname);
  }
  std::string names;
  for (const std::string& name : larger) names += (names.empty() ? "" : ",") + name;
  if (names == too_large_) return;
  too_large_ = names;
  events_.add(EventId::k_data_link_mtu, "interface=" + link->first + " mtu=" + std::to_string(link->second.mtu) +
                                            " too_large=" + (names.empty() ? "none" : names));
}

void Daemon::refresh_rto() {
  std::set<VsdId> mastered;
  const auto view = control_->view();
  for (const core::VsdView& vsd : view->vsds) {
    if (vsd.state == core::VsdState::kMaster) mastered.insert(vsd.settings.id);
  }
  rto_->set_mastered(mastered);
  rto::MirrorSettings settings;
  settings.unit = unit_;
  settings.cluster = config_.cluster;
  settings.boot_epoch = boot_epoch_;
  settings.sync = config_.rto_sync && config_.cluster.value != 0;
  settings.hb_interval = seconds(config_.rto_hb_interval_s);
  settings.hb_threshold = config_.rto_hb_threshold;
  settings.send_sessions = !config_.rto_session_off;
  rto_->set_settings(settings);
  rto_->set_no_backup(config_.rto_no_backup);
  rto_->set_clear_on_inactive(config_.rto_clear_on_inactive);
  std::vector<RtoVsi> vsis;
  for (const config::Vsi& vsi : config::vsis_of(config_)) {
    const auto link = links_.find(vsi.ifname);
    if (link != links_.end()) vsis.push_back({vsi.vid, vsi.vsd, link->second.ifindex, vsi.addresses});
  }
  rto_->set_vsis(std::move(vsis));
  refresh_defer(mastered);
}

// After the RTO thread has heard of the VSDs: what it is asked of them from here on it knows.
void Daemon::refresh_defer(const std::set<VsdId>& mastered) {
  DeferSettings settings;
  for (const VsdId vsd : mastered) settings.mastered.insert(vsd);
  const bool mirrors = config_.rto_sync && config_.cluster.value != 0;
  for (const auto& [vsd, group] : config_.vsd_groups) {
    if (mirrors && group.defer > milliseconds(0)) settings.bounds[vsd] = group.defer;
  }
  defer_->set_settings(std::move(settings));
}

void Daemon::compare_checksums() {
  const auto view = control_->view();
  const uint64_t own = config::checksum(config_);
  std::optional<bool> matches;
  for (const core::PeerView& peer : view->peers) {
    const auto theirs = view->peer_checksums.find(peer.unit);
    if (!peer.alive || theirs == view->peer_checksums.end()) continue;
    const bool same = theirs->second == own;
    if (!same && differing_.insert(peer.unit).second) {
      events_.add(EventId::k_config_differs, "peer=" + to_string(peer.unit));
    }
    if (same) differing_.erase(peer.unit);
    matches = same && matches.value_or(true);
  }
  checksum_matches_ = matches;
}

}  // namespace nsrp::daemon
