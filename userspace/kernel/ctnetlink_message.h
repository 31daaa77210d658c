// SPDX-License-Identifier: Apache-2.0
// ctnetlink messages: what is written into a request about one conntrack entry, and what is read from an answer.
#pragma once

#include <linux/netlink.h>

#include <array>
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

// The entry as it would be installed anew.
nsrp_session_event to_event(const Entry& entry);
bool same(const nsrp_tuple& a, const nsrp_tuple& b);
// What a peer sent must make sense as one flow before it is put to the kernel.
bool consistent(const nsrp_session_event& session);
// The reply tuple of a flow that is not translated.
nsrp_tuple inverse(const nsrp_tuple& original);

// Each fills a message of kMaxMessage bytes; flags, sequence number and sending are the channel's business.
void write_create(nlmsghdr* message, const nsrp_session_event& session, uint32_t min_timeout_s);
void write_update(nlmsghdr* message, const nsrp_session_event& session, uint32_t min_timeout_s,
                  uint32_t present_status);
// Of an entry that exists: the timeout, unless 0, and that TCP windows are not checked.
void write_adjust(nlmsghdr* message, const nsrp_tuple& original, uint32_t timeout_s, bool liberal);
void write_get(nlmsghdr* message, const nsrp_tuple& original);
void write_delete(nlmsghdr* message, const nsrp_tuple& original);

void write_stats_request(nlmsghdr* message);

// Pieces, for messages about expectations. A tuple is written as one of the original direction.
void write_header(nlmsghdr* message, uint16_t subsystem, uint8_t command, uint16_t flags, uint8_t family);
void write_tuple(nlmsghdr* message, uint16_t type, const nsrp_tuple& tuple);
bool read_tuple(const nlattr* attribute, nsrp_tuple& tuple);
using Attributes = std::array<const nlattr*, 64>;  // by type; null: absent
Attributes attributes_of(const nlmsghdr* message);
Attributes nested(const nlattr* attribute);
uint32_t read_be32(const nlattr* attribute);

std::optional<Entry> parse_entry(const nlmsghdr* message);
size_t parse_stats(const nlmsghdr* message);  // how many entries there are

}  // namespace nsrp::kernel::ctnetlink
