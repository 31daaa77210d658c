// SPDX-License-Identifier: Apache-2.0
// The bridge of the transparent device: made for its ports, and gone with the last of them.
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "kernel/network_impl.h"

namespace nsrp::kernel {
namespace {

const Link* named(const std::vector<Link>& links, const std::string& name) {
  const auto found = std::ranges::find(links, name, &Link::name);
  return found == links.end() ? nullptr : &*found;
}

}  // namespace

Status Network::Impl::set_master(IfIndex ifindex, IfIndex master) const {
  ifinfomsg info{};
  info.ifi_index = static_cast<int>(ifindex.value);
  RtMessage message(RTM_NEWLINK, 0, info);
  message.put_u32(IFLA_MASTER, master.value);
  const auto answer = rtnetlink->request(message);
  if (answer.ok() || (master.value == 0 && answer.error == ENODEV)) return {};
  return fail(refusal(std::string(master.value == 0 ? "take" : "put") + " " + interface_name(ifindex) +
                          (master.value == 0 ? " out of" : " into") + " its bridge",
                      answer));
}

// No spanning tree of its own: one device of two passes frames, and a port has to pass them as soon as it may. No
// snooping either: a new master knows nothing of groups until somebody asks, which takes minutes.
Status Network::Impl::make_bridge(const std::string& name) const {
  RtMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  message.put(IFLA_IFNAME, name.c_str(), name.size() + 1);
  message.put_link_info("bridge", [&] {
    const uint8_t off = 0;
    message.put_u32(IFLA_BR_STP_STATE, 0);
    message.put(IFLA_BR_MCAST_SNOOPING, &off, sizeof off);
  });
  const auto answer = rtnetlink->request(message);
  if (!answer.ok()) return fail(refusal("make the bridge " + name, answer));
  return {};
}

Status Network::keep_bridge_ports(const std::string& bridge, const std::vector<IfIndex>& ports) {
  const auto links = impl_->dump_links();
  if (!links) return fail(links.error());
  const Link* device = named(*links, bridge);
  if (device == nullptr) return {};
  for (const Link& link : *links) {
    if (link.master != device->ifindex || std::ranges::find(ports, link.ifindex) != ports.end()) continue;
    if (Status done = impl_->set_master(link.ifindex, IfIndex{}); !done) return done;
  }
  if (!ports.empty()) return {};
  ifinfomsg info{};
  info.ifi_index = static_cast<int>(device->ifindex.value);
  const auto answer = impl_->rtnetlink->request(RtMessage(RTM_DELLINK, 0, info));
  return answer.ok() || answer.error == ENODEV ? Status{} : fail(refusal("remove the bridge " + bridge, answer));
}

Status Network::add_bridge_ports(const std::string& bridge, const std::vector<IfIndex>& ports) {
  if (ports.empty()) return {};
  auto links = impl_->dump_links();
  if (links && named(*links, bridge) == nullptr) {
    if (Status made = impl_->make_bridge(bridge); !made) return made;
    // It says nothing of its own accord.
    const std::string ipv6 = "ipv6/conf/" + bridge + "/disable_ipv6";
    if (Status quiet = Sysctls::read(ipv6) ? impl_->sysctls.set(ipv6, 1) : Status{}; !quiet) return quiet;
    links = impl_->dump_links();
  }
  if (!links) return fail(links.error());
  const Link* device = named(*links, bridge);
  if (device == nullptr) return fail("the bridge " + bridge + " has gone");
  for (const Link& link : *links) {
    if (std::ranges::find(ports, link.ifindex) == ports.end() || link.master == device->ifindex) continue;
    if (link.master.value != 0) {
      return fail(link.name + " belongs to " + interface_name(link.master) +
                  ": take it out of there first (ip link set " + link.name + " nomaster)");
    }
    if (Status done = impl_->set_master(link.ifindex, device->ifindex); !done) return done;
  }
  return device->up ? Status{} : set_link_up(device->ifindex, true);
}

}  // namespace nsrp::kernel
