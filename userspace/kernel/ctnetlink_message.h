// SPDX-License-Identifier: Apache-2.0
// ctnetlink messages: what is written into a request about one conntrack entry, and what is read from an answer.
#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "nsrp/abi/nsrp_abi.h"

namespace nsrp::kernel::ctnetlink {

// Room for the largest message below (IPv6 TCP with both translations: about 500 bytes).
constexpr size_t kMaxMessage = 1024;

// An entry as the kernel describes it.
struct Entry {
  nsrp_tuple original{}, reply{};
  uint32_t status = 0;  // IPS_*
  uint32_t timeout_s = 0;
  uint32_t mark = 0;
  uint8_t tcp_state = 0;
};

bool same(const nsrp_tuple& a, const nsrp_tuple& b);
// What a peer sent must make sense as one flow before it is put to the kernel.
bool consistent(const nsrp_session_event& session);
// The reply tuple of a flow that is not translated.
nsrp_tuple inverse(const nsrp_tuple& original);

// Each fills a message of kMaxMessage bytes; flags, sequence number and sending are the channel's business.
void write_create(nlmsghdr* message, const nsrp_session_event& session, uint32_t min_timeout_s);
void write_update(nlmsghdr* message, const nsrp_session_event& session, uint32_t min_timeout_s,
                  uint32_t present_status);
void write_get(nlmsghdr* message, const nsrp_tuple& original);
void write_delete(nlmsghdr* message, const nsrp_tuple& original);

void write_stats_request(nlmsghdr* message);

std::optional<Entry> parse_entry(const nlmsghdr* message);
size_t parse_stats(const nlmsghdr* message);  // how many entries there are

}  // namespace nsrp::kernel::ctnetlink
