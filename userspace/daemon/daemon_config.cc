// SPDX-License-Identifier: Apache-2.0
// What a changed configuration, link or peer means for the kernel and for the threads.
#include <algorithm>

#include "daemon/daemon.h"
#include "daemon/files.h"
#include "io/clock.h"

namespace nsrp::daemon {

namespace {

constexpr unsigned kFailoverThreshold = 255;  // manual ch. 3: the default device failover threshold
constexpr milliseconds kLinkLocalRetry{200};

core::MemberSettings member_settings(const config::Config& config, UnitId unit) {
  core::MemberSettings settings;
  settings.unit = unit;
  settings.hb_interval = config.hb_interval;
  settings.hb_threshold = config.hb_threshold;
  settings.init_hold = config.init_hold;
  settings.announce_count = config.arp;
  settings.master_always_exist = config.master_always_exist;
  settings.sync_required = config.rto_sync;
  if (const auto& probe = config.ha_link_probe) {
    settings.probe = core::ProbeSettings{seconds(probe->interval_s), probe->threshold};
  }
  for (const auto& [id, group] : config.vsd_groups) {
    settings.vsds.push_back({id, group.priority, group.preempt, group.hold_down, group.ineligible});
  }
  return settings;
}

}  // namespace

Status Daemon::refresh_links() {
  const Result<std::vector<kernel::Link>> links = network_->links();
  if (!links) return fail(links.error());
  links_.clear();
  for (const kernel::Link& link : *links) links_[link.name] = link;
  return {};
}

// Stretching passwords takes a while: only when they have changed.
Result<std::shared_ptr<const wire::Keys>> Daemon::keys_for(const config::Config& wanted) const {
  const bool same = wanted.cluster == config_.cluster && wanted.auth_password == config_.auth_password &&
                    wanted.encrypt_password == config_.encrypt_password;
  if (same && keys_fed_) return keys_;
  if (wanted.cluster.value == 0) return std::shared_ptr<const wire::Keys>();
  return wire::derive_keys(wanted.auth_password.text, wanted.encrypt_password.text, wanted.cluster);
}

Status Daemon::apply_config(const config::Config& wanted) {
  Result<std::shared_ptr<const wire::Keys>> keys = keys_for(wanted);
  if (!keys) return fail(keys.error());
  if (Status applied = apply_to_kernel(wanted); !applied) {
    events_.add(EventId::k_config_apply_failed, "cause=" + quote(applied.error().message));
    (void)apply_to_kernel(config_);  // back to what held before: a refused command changes nothing
    return applied;
  }
  config_ = wanted;
  feed_keys(std::move(*keys));
  if (Status noted = replace_file(applied_file(), config::print(config_, config::Secrets::kLeftOut)); !noted) {
    events_.add(EventId::k_config_apply_failed, "cause=" + quote(noted.error().message));
  }
  feed_control_thread();
  refresh_rto();
  refresh_peer();
  refresh_fast_path();
  evaluate_monitors();
  return {};
}

Status Daemon::apply_to_kernel(const config::Config& wanted) {
  down_ = down_vsds(wanted);
  const Plan plan = make_plan(wanted, links_, down_);
  for (const std::string& name : plan.missing) {
    if (std::find(missing_.begin(), missing_.end(), name) == missing_.end()) {
      events_.add(EventId::k_interface_missing, "interface=" + name);
    }
  }
  missing_ = plan.missing;
  return applier_->apply(plan);
}

// Before the control thread has begun to say it, a lease of an earlier run does.
bool Daemon::masters(VsdId vsd) const {
  const auto view = control_->view();
  for (const core::VsdView& known : view->vsds) {
    if (known.settings.id == vsd) return known.state == core::VsdState::kMaster;
  }
  return datapath_->lease(vsd).until > io::now();
}

std::set<VsdId> Daemon::down_vsds(const config::Config& wanted) const {
  std::set<VsdId> down;
  if (wanted.data_forwarding || wanted.cluster.value == 0) return down;
  for (const auto& [id, group] : wanted.vsd_groups) {
    if (!masters(id)) down.insert(id);
  }
  return down;
}

void Daemon::show_vsis() {
  if (down_vsds(config_) == down_) return;
  if (Status applied = apply_to_kernel(config_); !applied) {
    events_.add(EventId::k_config_apply_failed, "cause=" + quote(applied.error().message));
  }
}

void Daemon::feed_keys(std::shared_ptr<const wire::Keys> keys) {
  if (keys_fed_ && keys == keys_) return;
  keys_fed_ = true;
  keys_ = std::move(keys);
  control_->set_keys(keys_);
}

void Daemon::feed_control_thread() {
  control_->set_announce_targets(announce_targets(config_, links_));
  feed_links();
  const uint64_t checksum = config::checksum(config_);
  if (config_.cluster.value == 0) {
    refuse_probes("this device has left the cluster");
    control_->set_settings(std::nullopt, config_.cluster, checksum);
  } else {
    control_->set_settings(member_settings(config_, unit_), config_.cluster, checksum);
  }
}

std::vector<ControlLink> Daemon::control_links() const {
  std::vector<ControlLink> result;
  const auto add = [&](core::LinkIndex index, const std::string& name) {
    const auto link = links_.find(name);
    if (link == links_.end()) return;
    const Result<std::optional<IpAddress>> local = network_->link_local(link->second.ifindex);
    result.push_back({index, name, link->second.ifindex, link->second.mac,
                      local && local->has_value() ? **local : IpAddress{Family::kIpv6, {}},
                      core::LinkFacts{true, link->second.carrier, link->second.speed_mbps, name}});
  };
  for (const auto& [index, name] : link_names(config_)) add(index, name);
  return result;
}

// A link-local address is of no use before duplicate address detection is over, and the kernel tells nobody when that
// is: ask again until every HA link has one.
void Daemon::feed_links() {
  const std::vector<ControlLink> links = control_links();
  control_->set_links(links);
  const bool missing = std::any_of(links.begin(), links.end(), [](const ControlLink& link) {
    return link.index != core::kSecondaryPath && link.facts.carrier && link.link_local.is_unspecified();
  });
  if (!missing || link_local_timer_ != 0) return;
  link_local_timer_ = loop_->call_at(io::now() + kLinkLocalRetry, [this] {
    link_local_timer_ = 0;
    feed_links();
  });
}

void Daemon::on_links_changed() {
  const LinksByName before = links_;
  // Events only say that something changed; the state is read afresh, so that no burst can leave a stale picture.
  network_->consume_events([](const kernel::Link&) {}, [](IfIndex, const std::string&) {});
  if (!refresh_links()) return;
  const auto ha = config::ha_interfaces_of(config_);
  bool identity_changed = false;
  for (const auto& [name, interface] : config_.interfaces) {
    const auto old = before.find(name);
    const auto now = std::as_const(links_).find(name);
    const bool was = old != before.end(), is = now != links_.end();
    if (was != is || (is && (old->second.ifindex != now->second.ifindex || old->second.mac != now->second.mac))) {
      identity_changed = true;
    }
    const bool had_carrier = was && old->second.carrier, has_carrier = is && now->second.carrier;
    if (interface.is_ha() && had_carrier != has_carrier) {
      events_.add(EventId::k_ha_link, "interface=" + name + " carrier=" + (has_carrier ? "up" : "down"));
    }
  }
  if (identity_changed) {
    if (Status applied = apply_to_kernel(config_); !applied) {
      events_.add(EventId::k_config_apply_failed, "cause=" + quote(applied.error().message));
    }
    control_->set_announce_targets(announce_targets(config_, links_));
    refresh_rto();
    refresh_fast_path();
  }
  feed_links();
  evaluate_monitors();
  refresh_peer();
}

// Manual ch. 3: the weights of failed objects add up; at the threshold the device is inoperable.
void Daemon::evaluate_monitors() {
  unsigned sum = 0;
  std::string failed;
  for (const config::MonitoredInterface& monitored : config_.monitored) {
    const auto link = links_.find(monitored.ifname);
    if (link != links_.end() && link->second.carrier) continue;
    sum += monitored.weight;
    failed += (failed.empty() ? "" : ", ") + monitored.ifname;
  }
  const bool operable = sum < kFailoverThreshold;
  if (sum != monitor_sum_) {
    events_.add(EventId::k_monitor, "sum=" + std::to_string(sum) + " threshold=" + std::to_string(kFailoverThreshold) +
                                        " failed=" + quote(failed));
  }
  monitor_sum_ = sum;
  if (operable == operable_) return;
  operable_ = operable;
  control_->set_health(std::nullopt, operable,
                       operable ? "the monitored interfaces are back" : "monitored interfaces failed: " + failed);
}

}  // namespace nsrp::daemon
