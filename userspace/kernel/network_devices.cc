// SPDX-License-Identifier: Apache-2.0
// What a VSI needs of the device below it: unicast filters, NIC features, sysctls.
#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

#include "kernel/network_impl.h"

namespace nsrp::kernel {
namespace {

Rtnetlink::Answer send_filter(Rtnetlink& rtnetlink, int type, int flags, IfIndex ifindex, const MacAddress& mac) {
  ndmsg info{};
  info.ndm_family = AF_BRIDGE;
  info.ndm_ifindex = static_cast<int>(ifindex.value);
  info.ndm_state = NUD_PERMANENT;
  info.ndm_flags = NTF_SELF;
  RtMessage message(type, flags, info);
  message.put(NDA_LLADDR, mac.bytes.data(), mac.bytes.size());
  return rtnetlink.request(message);
}

}  // namespace

Status Network::set_unicast_filter(IfIndex ifindex, const std::vector<MacAddress>& macs) {
  auto& ours = impl_->our_filters[ifindex];
  const std::set<MacAddress> wanted(macs.begin(), macs.end());
  bool refused = false;
  for (const MacAddress& mac : wanted) {
    if (ours.contains(mac)) continue;
    const auto answer = send_filter(*impl_->rtnetlink, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, ifindex, mac);
    if (answer.error == ENODEV || answer.error == EPERM)
      return fail(refusal("add " + to_string(mac) + " to the filter of " + interface_name(ifindex), answer));
    // EEXIST: left by an earlier run. Anything else: the driver has no filter, no room, or no idea.
    if (answer.ok() || answer.error == EEXIST) {
      ours.insert(mac);
    } else {
      refused = true;
    }
  }
  for (auto mac = ours.begin(); mac != ours.end();) {
    if (wanted.contains(*mac)) {
      ++mac;
      continue;
    }
    const auto answer = send_filter(*impl_->rtnetlink, RTM_DELNEIGH, 0, ifindex, *mac);
    if (!answer.ok() && answer.error != ENOENT && answer.error != ENODEV)
      return fail(refusal("remove " + to_string(*mac) + " from the filter of " + interface_name(ifindex), answer));
    mac = ours.erase(mac);
  }
  return impl_->set_promiscuous(ifindex, refused);
}

Status Network::Impl::set_promiscuous(IfIndex ifindex, bool on) {
  if (on == made_promiscuous.contains(ifindex)) return {};
  // Asking through the flag counts once, however often it is asked; an operator who asked before us keeps it.
  auto links = dump_links();
  if (!links) return fail(links.error());
  for (const Link& link : *links)
    if (on && link.ifindex == ifindex && link.promiscuous) return {};
  if (auto done = change_flags(ifindex, IFF_PROMISC, on ? IFF_PROMISC : 0); !done) return done;
  if (on) {
    made_promiscuous.insert(ifindex);
  } else {
    made_promiscuous.erase(ifindex);
  }
  return {};
}

Status Network::prepare_traffic_interface(const std::string& name) {
  const std::string ipv4 = "ipv4/conf/" + name + "/", ipv6 = "ipv6/conf/" + name + "/";
  Sysctls& sysctls = impl_->sysctls;
  // Linux answers ARP for any of its addresses on any interface. One that does not carry our programs (management, HA)
  // would tell its own MAC for a VSI address, hence conf/all: what counts is the larger of all and the interface.
  for (const std::string& scope : {std::string("ipv4/conf/all/"), ipv4}) {
    if (auto done = sysctls.at_least(scope + "arp_ignore", 1); !done) return done;
    if (auto done = sysctls.at_least(scope + "arp_announce", 2); !done) return done;
  }
  // When a subnet's primary address goes, the others stay.
  if (auto done = sysctls.set(ipv4 + "promote_secondaries", 1); !done) return done;
  if (auto done = impl_->relax_reverse_path(ipv4); !done) return done;
  // Linux drops global IPv6 addresses when an interface goes down, but not IPv4 ones. A kernel without IPv6 has no such
  // switch, and no such addresses.
  if (Sysctls::read(ipv6 + "keep_addr_on_down"))
    if (auto done = sysctls.at_least(ipv6 + "keep_addr_on_down", 1); !done) return done;
  return {};
}

// Packets that came over the data link enter the stack on the interface they arrived at on the other member, so the
// strict reverse path check mostly holds. It does not where an interface carries VSIs of several VSDs: replies then go
// by the VSD's own table, chosen by mark, and the check looks without the mark. Loose (2) overrides strict in conf/all.
Status Network::Impl::relax_reverse_path(const std::string& ipv4) {
  const auto all = Sysctls::read("ipv4/conf/all/rp_filter"), own = Sysctls::read(ipv4 + "rp_filter");
  if (!all) return fail(all.error());
  if (!own) return fail(own.error());
  return std::max(*all, *own) == 1 ? sysctls.set(ipv4 + "rp_filter", 2) : Status{};
}

Status Network::prepare_ha_interface(const std::string& name) {
  const auto link = find(name);
  if (!link) return fail(link.error());
  if (!*link) return fail("there is no interface \"" + name + "\"");
  for (const auto which : {Ethtool::VlanOffload::kReceive, Ethtool::VlanOffload::kTransmit}) {
    const auto changed = impl_->ethtool.set_vlan_offload(name, which, false);
    if (!changed) return fail(changed.error());
    if (*changed) impl_->offloads_off.push_back({name, which});
  }
  const std::string ipv6 = "ipv6/conf/" + name + "/";
  if (auto done = impl_->sysctls.set(ipv6 + "disable_ipv6", 0); !done) return done;
  // 1 means: no link-local address by itself (what NetworkManager leaves).
  if (Sysctls::read(ipv6 + "addr_gen_mode") == 1)
    if (auto done = impl_->sysctls.set(ipv6 + "addr_gen_mode", 0); !done) return done;
  return (*link)->up ? Status{} : set_link_up((*link)->ifindex, true);
}

Result<bool> Network::prepare_fast_path() {
  const std::string conntrack = "netfilter/nf_conntrack_tcp_";
  const auto established = Sysctls::read(conntrack + "timeout_established");
  if (!established) return false;
  if (auto done = impl_->sysctls.at_least(conntrack + "be_liberal", 1); !done) return fail(done.error());
  for (const char* timeout : {"timeout_unacknowledged", "timeout_max_retrans"})
    if (auto done = impl_->sysctls.at_least(conntrack + timeout, *established); !done) return fail(done.error());
  return true;
}

}  // namespace nsrp::kernel
