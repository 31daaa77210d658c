// SPDX-License-Identifier: Apache-2.0
// Addresses of VSIs and of this device. What matters besides presence is which address of a subnet the box itself
// speaks from: the first wanted one. IPv4 calls it primary and decides by order of arrival; IPv6 prefers any address
// that is not deprecated, so the later ones of a subnet go in with a preferred lifetime of zero.
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernel/network_impl.h"

namespace nsrp::kernel {
namespace {

constexpr size_t kMaxLabel = 15;  // IFNAMSIZ with its final zero
constexpr uint32_t kForever = 0xffffffff;

struct PresentAddress {
  Prefix prefix;
  std::string label;
  uint32_t flags = 0;  // IFA_F_*
  uint8_t scope = 0;
};

uint8_t family_number(Family family) {
  return family == Family::kIpv4 ? AF_INET : AF_INET6;
}

std::optional<PresentAddress> parse_address(const nlmsghdr* header) {
  auto* message = const_cast<nlmsghdr*>(header);
  if (header->nlmsg_type != RTM_NEWADDR || nlmsg_datalen(header) < static_cast<int>(sizeof(ifaddrmsg)))
    return std::nullopt;
  const auto* info = static_cast<const ifaddrmsg*>(nlmsg_data(header));
  PresentAddress present;
  present.scope = info->ifa_scope;
  present.flags = info->ifa_flags;
  present.prefix.length = info->ifa_prefixlen;
  present.prefix.address.family = info->ifa_family == AF_INET ? Family::kIpv4 : Family::kIpv6;
  // On point-to-point links IFA_ADDRESS is the other end; IFA_LOCAL, where present, is always ours.
  const nlattr* local = nlmsg_find_attr(message, sizeof(ifaddrmsg), IFA_LOCAL);
  if (local == nullptr) local = nlmsg_find_attr(message, sizeof(ifaddrmsg), IFA_ADDRESS);
  if (local == nullptr || nla_len(local) != static_cast<int>(present.prefix.address.size())) return std::nullopt;
  std::memcpy(present.prefix.address.bytes.data(), nla_data(local), present.prefix.address.size());
  if (const nlattr* label = nlmsg_find_attr(message, sizeof(ifaddrmsg), IFA_LABEL))
    present.label = nla_get_string(label);
  if (const nlattr* flags = nlmsg_find_attr(message, sizeof(ifaddrmsg), IFA_FLAGS)) present.flags = nla_get_u32(flags);
  return present;
}

Result<std::vector<PresentAddress>> dump_addresses(Rtnetlink& rtnetlink, IfIndex ifindex, Family family) {
  std::vector<PresentAddress> present;
  ifaddrmsg info{};
  info.ifa_family = family_number(family);
  info.ifa_index = ifindex.value;
  auto done = rtnetlink.dump(
      RtMessage(RTM_GETADDR, 0, info), [&] { present.clear(); },
      [&](const nlmsghdr* header) {
        if (static_cast<const ifaddrmsg*>(nlmsg_data(header))->ifa_index != ifindex.value) return;
        if (auto address = parse_address(header)) present.push_back(std::move(*address));
      });
  if (!done) return fail(done.error());
  return present;
}

bool same_subnet(const Prefix& a, const Prefix& b) {
  return a.length == b.length && a.network() == b.network();
}

// One interface, one family, brought to what is wanted.
class AddressEditor {
 public:
  AddressEditor(Rtnetlink& rtnetlink, std::set<Prefix>& ours, IfIndex ifindex, Family family,
                const std::vector<WantedAddress>& wanted)
      : rtnetlink_(rtnetlink), ours_(ours), name_(interface_name(ifindex)), ifindex_(ifindex), family_(family) {
    for (const WantedAddress& want : wanted)
      if (want.prefix.address.family == family) wanted_.push_back(want);
    for (WantedAddress& want : wanted_)
      if (want.label.size() > kMaxLabel) want.label.clear();
  }

  Status run() {
    if (auto done = read(); !done) return done;
    if (auto done = add_with_new_length(); !done) return done;
    if (auto done = remove_unwanted(); !done) return done;
    if (auto done = add_missing(); !done) return done;
    return family_ == Family::kIpv4 ? order() : Status{};
  }

 private:
  Status read() {
    auto present = dump_addresses(rtnetlink_, ifindex_, family_);
    if (!present) return fail(present.error());
    present_ = std::move(*present);
    return {};
  }

  const PresentAddress* find(const Prefix& prefix) const {
    const auto found = std::find_if(present_.begin(), present_.end(),
                                    [&](const PresentAddress& present) { return present.prefix == prefix; });
    return found == present_.end() ? nullptr : &*found;
  }

  const WantedAddress* find_wanted(const Prefix& prefix) const {
    const auto found =
        std::find_if(wanted_.begin(), wanted_.end(), [&](const WantedAddress& want) { return want.prefix == prefix; });
    return found == wanted_.end() ? nullptr : &*found;
  }

  const WantedAddress& first_of_subnet(const Prefix& prefix) const {
    return *std::find_if(wanted_.begin(), wanted_.end(),
                         [&](const WantedAddress& want) { return same_subnet(want.prefix, prefix); });
  }

  bool label_matches(const PresentAddress& present, const WantedAddress& want) const {
    return family_ == Family::kIpv6 || present.label == (want.label.empty() ? name_ : want.label);
  }

  // An interface that loses its last IPv4 address loses every route through it, other people's too. So an address whose
  // prefix length changes is there twice for a moment; IPv6 does not allow that, and keeps the routes.
  Status add_with_new_length() {
    for (const WantedAddress& want : wanted_) {
      const bool changes = std::any_of(present_.begin(), present_.end(), [&](const PresentAddress& present) {
        return present.prefix.address == want.prefix.address && ours_.contains(present.prefix);
      });
      if (family_ == Family::kIpv6 || !changes || find(want.prefix) != nullptr) continue;
      if (auto done = add(want, true, NLM_F_EXCL); !done) return done;
    }
    return {};
  }

  Status remove_unwanted() {
    // Backwards, secondaries first: where promote_secondaries is off, a primary takes its secondaries along.
    for (auto present = present_.rbegin(); present != present_.rend(); ++present) {
      if (!ours_.contains(present->prefix)) continue;
      const WantedAddress* want = find_wanted(present->prefix);
      if (want != nullptr && label_matches(*present, *want)) continue;
      if (auto done = remove(present->prefix); !done) return done;
    }
    std::erase_if(ours_, [&](const Prefix& prefix) {
      return prefix.address.family == family_ && find_wanted(prefix) == nullptr;
    });
    return read();
  }

  Status add_missing() {
    for (const WantedAddress& want : wanted_) {
      const PresentAddress* present = find(want.prefix);
      const bool preferred = first_of_subnet(want.prefix).prefix == want.prefix;
      if (present == nullptr) {
        if (auto done = add(want, preferred, NLM_F_EXCL); !done) return done;
      } else if (family_ == Family::kIpv6 && ours_.contains(want.prefix) &&
                 preferred == ((present->flags & IFA_F_DEPRECATED) != 0)) {
        if (auto done = add(want, preferred, NLM_F_REPLACE); !done) return done;
      }
    }
    return {};
  }

  // IPv4: the first wanted address of a subnet must be the primary one, unless a foreign address is. The subnet is
  // never without an address meanwhile, so routes through it stay.
  Status order() {
    for (const WantedAddress& want : wanted_) {
      if (first_of_subnet(want.prefix).prefix != want.prefix) continue;
      if (auto done = read(); !done) return done;
      const PresentAddress* present = find(want.prefix);
      if (present == nullptr || (present->flags & IFA_F_SECONDARY) == 0 || !primary_is_ours(want.prefix)) continue;
      if (auto done = make_primary(want); !done) return done;
    }
    return {};
  }

  bool primary_is_ours(const Prefix& subnet) const {
    return std::any_of(present_.begin(), present_.end(), [&](const PresentAddress& present) {
      return same_subnet(present.prefix, subnet) && (present.flags & IFA_F_SECONDARY) == 0 &&
             ours_.contains(present.prefix);
    });
  }

  Status make_primary(const WantedAddress& want) {
    const auto others = [&](const Prefix& prefix) {
      return prefix != want.prefix && same_subnet(prefix, want.prefix) && ours_.contains(prefix);
    };
    for (auto present = present_.rbegin(); present != present_.rend(); ++present) {
      if (!others(present->prefix)) continue;
      if (auto done = remove(present->prefix); !done) return done;
    }
    if (auto done = read(); !done) return done;
    if (find(want.prefix) == nullptr)
      if (auto done = add(want, true, NLM_F_EXCL); !done) return done;
    for (const WantedAddress& other : wanted_) {
      if (!others(other.prefix)) continue;
      if (auto done = add(other, false, NLM_F_EXCL); !done) return done;
    }
    return {};
  }

  ifaddrmsg header(const Prefix& prefix) const {
    ifaddrmsg info{};
    info.ifa_family = family_number(family_);
    info.ifa_prefixlen = prefix.length;
    info.ifa_index = ifindex_.value;
    info.ifa_scope = RT_SCOPE_UNIVERSE;
    return info;
  }

  Status add(const WantedAddress& want, bool preferred, int flags) {
    RtMessage message(RTM_NEWADDR, NLM_F_CREATE | flags, header(want.prefix));
    const IpAddress& address = want.prefix.address;
    message.put(IFA_LOCAL, address.bytes.data(), address.size());
    message.put(IFA_ADDRESS, address.bytes.data(), address.size());
    if (family_ == Family::kIpv6) {
      // No duplicate address detection: both members hold a VSI's address, and only the master is heard.
      message.put_u32(IFA_FLAGS, IFA_F_NODAD);
      const ifa_cacheinfo lifetimes{preferred ? kForever : 0, kForever, 0, 0};
      message.put(IFA_CACHEINFO, &lifetimes, sizeof lifetimes);
    } else if (!want.label.empty()) {
      message.put(IFA_LABEL, want.label.c_str(), want.label.size() + 1);
    }
    const auto answer = rtnetlink_.request(message);
    if (answer.error == EEXIST) return {};  // somebody else's, put there this very moment
    if (!answer.ok()) return fail(refusal("add " + to_string(want.prefix) + " to " + name_, answer));
    ours_.insert(want.prefix);
    return {};
  }

  Status remove(const Prefix& prefix) {
    RtMessage message(RTM_DELADDR, 0, header(prefix));
    message.put(IFA_LOCAL, prefix.address.bytes.data(), prefix.address.size());
    const auto answer = rtnetlink_.request(message);
    if (answer.ok() || answer.error == EADDRNOTAVAIL) return {};
    return fail(refusal("remove " + to_string(prefix) + " from " + name_, answer));
  }

  Rtnetlink& rtnetlink_;
  std::set<Prefix>& ours_;
  std::string name_;
  IfIndex ifindex_;
  Family family_;
  std::vector<WantedAddress> wanted_;
  std::vector<PresentAddress> present_;
};

}  // namespace

Status Network::set_addresses(IfIndex ifindex, const std::vector<WantedAddress>& wanted,
                              const std::vector<Prefix>& also_ours) {
  auto& ours = impl_->our_addresses[ifindex];
  ours.insert(also_ours.begin(), also_ours.end());
  const Status ipv4 = AddressEditor(*impl_->rtnetlink, ours, ifindex, Family::kIpv4, wanted).run();
  const Status ipv6 = AddressEditor(*impl_->rtnetlink, ours, ifindex, Family::kIpv6, wanted).run();
  return ipv4 ? ipv6 : ipv4;
}

Result<std::optional<IpAddress>> Network::link_local(IfIndex ifindex) const {
  const auto present = dump_addresses(*impl_->rtnetlink, ifindex, Family::kIpv6);
  if (!present) return fail(present.error());
  for (const PresentAddress& address : *present)
    if (address.scope == RT_SCOPE_LINK && (address.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == 0)
      return std::optional(address.prefix.address);
  return std::optional<IpAddress>{};
}

}  // namespace nsrp::kernel
