// SPDX-License-Identifier: Apache-2.0
#include "daemon/rto_adoption.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace nsrp::daemon {
namespace {

IpAddress address_of(const nsrp_tuple& tuple, const nsrp_u8 (&bytes)[16]) {
  IpAddress address;
  address.family = tuple.family == NSRP_IPV4 ? Family::kIpv4 : Family::kIpv6;
  std::copy(std::begin(bytes), std::end(bytes), address.bytes.begin());
  return address;
}

// Those that packets are recorded of, in conntrack's default zone.
bool is_mirrored(const kernel::SessionEntry& entry) {
  const uint8_t proto = entry.key.proto;
  const bool known = proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
  return known && entry.key.zone == 0 && (entry.session.ct_status & IPS_DYING) == 0;
}

}  // namespace

void RtoAdoption::set_mastered(Instant now, rto::VsdSet mastered) {
  if (!(mastered - mastered_).empty()) at_ = now + kAfter;
  mastered_ = mastered;
}

Status RtoAdoption::begin() {
  auto reader = kernel::ConntrackReader::begin();
  if (!reader) return fail(reader.error());
  auto routes = kernel::RouteLookup::open();
  if (!routes) return fail(routes.error());
  reader_ = std::move(*reader);
  routes_.emplace(std::move(*routes));
  return {};
}

std::optional<VsdId> RtoAdoption::vsd_behind(const IpAddress& address) {
  if (const auto known = known_.find(address); known != known_.end()) return known->second;
  std::optional<VsdId> vsd;
  const std::optional<kernel::NextHop> hop = routes_->next_hop(address);
  for (const RtoVsi& vsi : vsis_) {
    if (!hop || vsi.ifindex != hop->ifindex) continue;
    const bool on_link = std::any_of(vsi.addresses.begin(), vsi.addresses.end(),
                                     [&](const Prefix& prefix) { return prefix.contains(hop->address); });
    if (on_link) vsd = vsi.vsd;
  }
  if (known_.size() >= kMaxKnown) known_.clear();
  known_[address] = vsd;
  return vsd;
}

std::optional<VsdId> RtoAdoption::vsd_of(const kernel::SessionEntry& entry) {
  const nsrp_tuple& reply = entry.session.reply;
  if (!vsd_behind(address_of(entry.key, entry.key.saddr))) return std::nullopt;
  return vsd_behind(address_of(reply, reply.saddr));
}

Result<RtoAdoption::Step> RtoAdoption::step(Instant now) {
  if (reader_ == nullptr) {
    const rto::VsdSet due = mastered_ & waiting_;
    if (due.empty() || vsis_.empty() || now < at_) return Step{};
    if (Status begun = begin(); !begun) {
      at_ = now + kAfter;
      return fail(begun.error());
    }
    running_ = due;
    waiting_ = waiting_ - due;
  }
  Step step;
  std::vector<kernel::SessionEntry> entries;
  const Status read = reader_->read(kChunk, entries);
  for (kernel::SessionEntry& entry : entries) {
    if (!is_mirrored(entry) || table_.find(entry.key)) continue;
    const std::optional<VsdId> vsd = vsd_of(entry);
    if (!vsd || !(running_ & mastered_).contains(*vsd)) continue;
    entry.session.vsd = vsd->value;
    entry.session.created_ns = entry.session.last_seen_ns = entry.session.exported_ns = to_ns(now);
    entry.session.generation = 1;
    step.found.push_back(entry);
  }
  step.more = read && !reader_->at_end();
  if (step.more) return step;
  reader_.reset();
  routes_.reset();
  known_.clear();
  if (!read) return fail(read.error());
  return step;
}

}  // namespace nsrp::daemon
