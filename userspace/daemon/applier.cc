// SPDX-License-Identifier: Apache-2.0
#include "daemon/applier.h"

#include <algorithm>

namespace nsrp::daemon {

namespace {

template <class T>
std::vector<T> both(std::vector<T> first, const std::vector<T>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

std::vector<Prefix> prefixes_of(const InterfacePlan& interface) {
  std::vector<Prefix> prefixes;
  for (const kernel::WantedAddress& address : interface.addresses) prefixes.push_back(address.prefix);
  return prefixes;
}

// A VLAN device has a higher index than the device it stands on, and must get its program later.
std::vector<std::string> lowest_first(const Plan& plan) {
  std::vector<std::string> names;
  for (const auto& [name, interface] : plan.interfaces) names.push_back(name);
  std::sort(names.begin(), names.end(), [&plan](const std::string& a, const std::string& b) {
    return plan.interfaces.at(a).link.ifindex < plan.interfaces.at(b).link.ifindex;
  });
  return names;
}

const std::string kBridge(config::kTransparentDevice);

Status about(const std::string& name, const Status& status) {
  return status ? status : fail(name + ": " + status.error().message);
}

}  // namespace

Status Applier::apply(const Plan& plan) {
  if (Status possible = check_ports(plan); !possible) return possible;
  if (Status done = network_.keep_bridge_ports(kBridge, plan.ports); !done) return done;
  // Old and new entries together first: an address that is about to leave keeps its guard until it is gone.
  if (Status done = datapath_.set_interfaces(both(current_.entries, plan.entries)); !done) return done;
  if (Status done = datapath_.set_vsis(both(current_.vsis, plan.vsis)); !done) return done;
  if (Status done = datapath_.set_addresses(both(current_.addresses, plan.addresses)); !done) return done;
  for (const std::string& name : lowest_first(plan)) {
    if (Status done = attach(plan, name, plan.interfaces.at(name)); !done) return done;
  }
  if (Status done = configure(plan); !done) return done;
  release_interfaces_not_in(plan);
  current_ = plan;
  if (Status done = datapath_.set_addresses(plan.addresses); !done) return done;
  if (Status done = datapath_.set_vsis(plan.vsis); !done) return done;
  return datapath_.set_interfaces(plan.entries);
}

Status Applier::attach(const Plan& plan, const std::string& name, const InterfacePlan& interface) {
  const Role role = role_of(interface);
  if (role == Role::kNone) return {};
  const auto known = attached_.find(name);
  if (known != attached_.end() && known->second.ifindex == interface.link.ifindex && known->second.role == role) {
    return {};
  }
  if (Status prepared = prepare(name, role); !prepared) return about(name, prepared);
  Result<kernel::XdpMode> mode = attach_programs(interface);
  if (!mode && lift_programs_above(plan, interface.link.ifindex)) mode = attach_programs(interface);
  if (!mode) return fail(name + ": " + mode.error().message);
  attached_[name] = {interface.link.ifindex, role, *mode};
  const std::string role_name = role == Role::kHa ? "ha" : role == Role::kPort ? "port" : "traffic";
  events_.add(EventId::k_attached,
              "interface=" + name + " role=" + role_name + " xdp=" + std::string(kernel::to_string(*mode)));
  return {};
}

Applier::Role Applier::role_of(const InterfacePlan& interface) {
  return interface.port ? Role::kPort : interface.ha ? Role::kHa : interface.traffic ? Role::kTraffic : Role::kNone;
}

Status Applier::prepare(const std::string& name, Role role) {
  if (role == Role::kPort) return {};
  return role == Role::kHa ? network_.prepare_ha_interface(name) : network_.prepare_traffic_interface(name);
}

Result<kernel::XdpMode> Applier::attach_programs(const InterfacePlan& interface) {
  if (interface.port) return datapath_.attach_port(interface.link.ifindex);
  return interface.ha ? datapath_.attach_ha(interface.link.ifindex) : datapath_.attach_traffic(interface.link.ifindex);
}

// Those come later in the order of attaching and get their programs again. Meanwhile their tc programs guard them.
bool Applier::lift_programs_above(const Plan& plan, IfIndex ifindex) {
  bool lifted = false;
  for (const auto& [name, interface] : plan.interfaces) {
    if (interface.link.ifindex <= ifindex || !datapath_.lift_generic_xdp(interface.link.ifindex)) continue;
    attached_.erase(name);
    lifted = true;
  }
  return lifted;
}

Status Applier::configure(const Plan& plan) {
  for (const auto& [name, interface] : plan.interfaces) {
    const auto before = current_.interfaces.find(name);
    const std::vector<Prefix> ours =
        before == current_.interfaces.end() ? std::vector<Prefix>{} : prefixes_of(before->second);
    if (Status done = network_.set_addresses(interface.link.ifindex, interface.addresses, ours); !done) {
      return about(name, done);
    }
    if (Status done = network_.set_unicast_filter(interface.link.ifindex, interface.virtual_macs); !done) {
      return about(name, done);
    }
    if (Status done = network_.set_link_up(interface.link.ifindex, true); !done) return about(name, done);
    const bool was_dormant = before != current_.interfaces.end() && before->second.dormant;
    if (!interface.dormant && !was_dormant) continue;
    if (Status done = network_.set_dormant(interface.link.ifindex, interface.dormant); !done) return about(name, done);
  }
  if (Status done = network_.add_bridge_ports(kBridge, plan.ports); !done) return done;
  if (Status done = network_.set_routes(plan.routes); !done) return done;
  if (Status done = network_.set_rules(plan.rules); !done) return done;
  return datapath_.set_vsd_routes(plan.vsd_routes);
}

void Applier::release_interfaces_not_in(const Plan& plan) {
  for (const auto& [name, old] : current_.interfaces) {
    const auto kept = plan.interfaces.find(name);
    const bool gone = kept == plan.interfaces.end();
    if (gone) {
      // The interface itself may have vanished; then there is nothing to clean.
      (void)network_.set_addresses(old.link.ifindex, {}, prefixes_of(old));
      (void)network_.set_unicast_filter(old.link.ifindex, {});
      if (old.dormant) (void)network_.set_dormant(old.link.ifindex, false);
    }
    const bool keeps_programs = !gone && role_of(kept->second) != Role::kNone;
    if (role_of(old) != Role::kNone && !keeps_programs) {
      (void)datapath_.detach(old.link.ifindex);
      attached_.erase(name);
    }
  }
}

void Applier::remove_all() {
  // A port without its programs would be open for ever: what cannot be taken out of the bridge keeps them.
  if (Status out = network_.keep_bridge_ports(kBridge, {}); !out) {
    events_.add(EventId::k_config_apply_failed, "cause=" + quote(out.error().message));
    return;
  }
  for (const auto& [name, interface] : current_.interfaces) {
    (void)network_.set_addresses(interface.link.ifindex, {}, prefixes_of(interface));
    (void)network_.set_unicast_filter(interface.link.ifindex, {});
  }
  (void)network_.set_routes({});
  (void)network_.set_rules({});
  network_.restore();
  if (Status removed = datapath_.remove(); !removed) {
    events_.add(EventId::k_config_apply_failed, "cause=" + quote(removed.error().message));
  }
  current_ = {};
  attached_.clear();
}

kernel::XdpMode Applier::xdp_mode(const std::string& ifname) const {
  const auto attached = attached_.find(ifname);
  return attached == attached_.end() ? kernel::XdpMode::kNone : attached->second.mode;
}

}  // namespace nsrp::daemon
