// SPDX-License-Identifier: Apache-2.0
#include "kernel/ctnetlink_message.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace nsrp::kernel::ctnetlink {
namespace {

enum class Direction : uint8_t { kOriginal, kReply };

// ICMP echo, the one ICMP exchange that is a flow of its own.
constexpr uint8_t kEchoRequest = 8, kEchoReply = 0, kEchoRequest6 = 128, kEchoReply6 = 129;

bool is_icmp(const nsrp_tuple& tuple) {
  return tuple.proto == IPPROTO_ICMP || tuple.proto == IPPROTO_ICMPV6;
}

bool has_ports(const nsrp_tuple& tuple) {
  switch (tuple.proto) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE:
    case IPPROTO_SCTP:
    case IPPROTO_DCCP:
      return true;
    default:
      return false;
  }
}

void request_header(nlmsghdr* message, uint8_t command, uint16_t flags, uint8_t family) {
  write_header(message, NFNL_SUBSYS_CTNETLINK, command, flags, family);
}

void write_address(nlmsghdr* message, uint16_t ipv4_type, uint16_t ipv6_type, uint8_t family, const nsrp_u8* address) {
  mnl_attr_put(message, family == NSRP_IPV4 ? ipv4_type : ipv6_type, family == NSRP_IPV4 ? 4 : 16, address);
}

void write_tuple(nlmsghdr* message, uint16_t type, const nsrp_tuple& tuple, Direction direction) {
  nlattr* whole = mnl_attr_nest_start(message, type);
  nlattr* ip = mnl_attr_nest_start(message, CTA_TUPLE_IP);
  write_address(message, CTA_IP_V4_SRC, CTA_IP_V6_SRC, tuple.family, tuple.saddr);
  write_address(message, CTA_IP_V4_DST, CTA_IP_V6_DST, tuple.family, tuple.daddr);
  mnl_attr_nest_end(message, ip);
  nlattr* proto = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
  mnl_attr_put_u8(message, CTA_PROTO_NUM, tuple.proto);
  const bool request = direction == Direction::kOriginal;
  if (tuple.proto == IPPROTO_ICMP) {
    mnl_attr_put_u16(message, CTA_PROTO_ICMP_ID, tuple.sport);
    mnl_attr_put_u8(message, CTA_PROTO_ICMP_TYPE, request ? kEchoRequest : kEchoReply);
    mnl_attr_put_u8(message, CTA_PROTO_ICMP_CODE, 0);
  } else if (tuple.proto == IPPROTO_ICMPV6) {
    mnl_attr_put_u16(message, CTA_PROTO_ICMPV6_ID, tuple.sport);
    mnl_attr_put_u8(message, CTA_PROTO_ICMPV6_TYPE, request ? kEchoRequest6 : kEchoReply6);
    mnl_attr_put_u8(message, CTA_PROTO_ICMPV6_CODE, 0);
  } else {
    mnl_attr_put_u16(message, CTA_PROTO_SRC_PORT, tuple.sport);
    mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, tuple.dport);
  }
  mnl_attr_nest_end(message, proto);
  mnl_attr_nest_end(message, whole);
}

// Exactly this address and this port: the kernel then takes them as they are and looks for no other, and should they
// be taken the insertion fails instead of ending in a translation the other member does not have.
void write_translation(nlmsghdr* message, uint16_t type, const nsrp_tuple& flow, const nsrp_u8* address,
                       uint16_t port) {
  nlattr* whole = mnl_attr_nest_start(message, type);
  write_address(message, CTA_NAT_V4_MINIP, CTA_NAT_V6_MINIP, flow.family, address);
  write_address(message, CTA_NAT_V4_MAXIP, CTA_NAT_V6_MAXIP, flow.family, address);
  if (has_ports(flow) || is_icmp(flow)) {
    nlattr* proto = mnl_attr_nest_start(message, CTA_NAT_PROTO);
    mnl_attr_put_u16(message, CTA_PROTONAT_PORT_MIN, port);
    mnl_attr_put_u16(message, CTA_PROTONAT_PORT_MAX, port);
    mnl_attr_nest_end(message, proto);
  }
  mnl_attr_nest_end(message, whole);
}

void write_liberal(nlmsghdr* message) {
  const nf_ct_tcp_flags liberal{IP_CT_TCP_FLAG_BE_LIBERAL, IP_CT_TCP_FLAG_BE_LIBERAL};
  mnl_attr_put(message, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, sizeof liberal, &liberal);
  mnl_attr_put(message, CTA_PROTOINFO_TCP_FLAGS_REPLY, sizeof liberal, &liberal);
}

// What a new entry and a changed one have in common.
void write_state(nlmsghdr* message, const nsrp_session_event& event, uint32_t min_timeout_s, uint32_t status) {
  const nsrp_session& session = event.session;
  mnl_attr_put_u32(message, CTA_STATUS, htonl(status));
  mnl_attr_put_u32(message, CTA_TIMEOUT, htonl(std::max(session.timeout_s, min_timeout_s)));
  mnl_attr_put_u32(message, CTA_MARK, htonl(session.ct_mark));
  if (event.key.proto != IPPROTO_TCP) return;
  // The windows this flow had are known to the other member only: be liberal in both directions.
  nlattr* info = mnl_attr_nest_start(message, CTA_PROTOINFO);
  nlattr* tcp = mnl_attr_nest_start(message, CTA_PROTOINFO_TCP);
  mnl_attr_put_u8(message, CTA_PROTOINFO_TCP_STATE, session.tcp_state);
  write_liberal(message);
  mnl_attr_nest_end(message, tcp);
  mnl_attr_nest_end(message, info);
}

// The kernel accepts no other bit from outside, and insists on this one.
uint32_t settable_status(uint32_t status) {
  return (status & (IPS_SEEN_REPLY | IPS_ASSURED)) | IPS_CONFIRMED;
}

int collect(const nlattr* attribute, void* context) {
  auto& attributes = *static_cast<Attributes*>(context);
  const uint16_t type = mnl_attr_get_type(attribute);
  if (type < attributes.size()) attributes[type] = attribute;
  return MNL_CB_OK;
}

bool read_address(const nlattr* attribute, size_t size, nsrp_u8* address) {
  if (attribute == nullptr || mnl_attr_get_payload_len(attribute) != size) return false;
  std::memcpy(address, mnl_attr_get_payload(attribute), size);
  return true;
}

uint16_t read_u16(const nlattr* attribute) {
  return attribute != nullptr ? mnl_attr_get_u16(attribute) : uint16_t{0};
}
uint8_t read_u8(const nlattr* attribute) {
  return attribute != nullptr ? mnl_attr_get_u8(attribute) : uint8_t{0};
}
}  // namespace

void write_header(nlmsghdr* message, uint16_t subsystem, uint8_t command, uint16_t flags, uint8_t family) {
  message->nlmsg_type = static_cast<uint16_t>(subsystem << 8 | command);
  message->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  auto* header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  header->nfgen_family = family == NSRP_IPV4 ? AF_INET : family == NSRP_IPV6 ? AF_INET6 : AF_UNSPEC;
  header->version = NFNETLINK_V0;
  header->res_id = 0;
}

void write_tuple(nlmsghdr* message, uint16_t type, const nsrp_tuple& tuple) {
  write_tuple(message, type, tuple, Direction::kOriginal);
}

Attributes nested(const nlattr* attribute) {
  Attributes found{};
  if (attribute != nullptr) mnl_attr_parse_nested(attribute, collect, &found);
  return found;
}

Attributes attributes_of(const nlmsghdr* message) {
  Attributes found{};
  mnl_attr_parse(message, sizeof(nfgenmsg), collect, &found);
  return found;
}

uint32_t read_be32(const nlattr* attribute) {
  return attribute != nullptr ? ntohl(mnl_attr_get_u32(attribute)) : 0;
}

bool read_tuple(const nlattr* attribute, nsrp_tuple& tuple) {
  const Attributes parts = nested(attribute);
  const Attributes ip = nested(parts[CTA_TUPLE_IP]), proto = nested(parts[CTA_TUPLE_PROTO]);
  if (read_address(ip[CTA_IP_V4_SRC], 4, tuple.saddr) && read_address(ip[CTA_IP_V4_DST], 4, tuple.daddr)) {
    tuple.family = NSRP_IPV4;
  } else if (read_address(ip[CTA_IP_V6_SRC], 16, tuple.saddr) && read_address(ip[CTA_IP_V6_DST], 16, tuple.daddr)) {
    tuple.family = NSRP_IPV6;
  } else {
    return false;
  }
  tuple.proto = read_u8(proto[CTA_PROTO_NUM]);
  tuple.sport = read_u16(proto[CTA_PROTO_SRC_PORT]);
  tuple.dport = read_u16(proto[CTA_PROTO_DST_PORT]);
  if (tuple.proto == IPPROTO_ICMP) tuple.sport = read_u16(proto[CTA_PROTO_ICMP_ID]);
  if (tuple.proto == IPPROTO_ICMPV6) tuple.sport = read_u16(proto[CTA_PROTO_ICMPV6_ID]);
  return true;
}

bool same(const nsrp_tuple& a, const nsrp_tuple& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

nsrp_session_event to_event(const Entry& entry) {
  nsrp_session_event event{};
  event.key = entry.original;
  event.session.reply = entry.reply;
  event.session.ct_status = entry.status;
  event.session.ct_mark = entry.mark;
  event.session.timeout_s = entry.timeout_s;
  event.session.tcp_state = entry.tcp_state;
  return event;
}

bool consistent(const nsrp_session_event& session) {
  const nsrp_tuple &key = session.key, &reply = session.session.reply;
  return (key.family == NSRP_IPV4 || key.family == NSRP_IPV6) && reply.family == key.family &&
         reply.proto == key.proto && reply.zone == key.zone;
}

nsrp_tuple inverse(const nsrp_tuple& original) {
  nsrp_tuple reply = original;
  std::memcpy(reply.saddr, original.daddr, sizeof reply.saddr);
  std::memcpy(reply.daddr, original.saddr, sizeof reply.daddr);
  if (!is_icmp(original)) {
    reply.sport = original.dport;
    reply.dport = original.sport;
  }
  return reply;
}

// The kernel sets up a translation, and marks the entry as translated, only where it has something left to do: the
// reply tuple must be given as if there were none. Both directions are named as soon as one is translated, so that
// neither is left to the kernel's own search for a free port.
void write_create(nlmsghdr* message, const nsrp_session_event& event, uint32_t min_timeout_s) {
  const nsrp_tuple &key = event.key, &reply = event.session.reply;
  const nsrp_tuple untranslated = inverse(key);
  request_header(message, IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL, key.family);
  write_tuple(message, CTA_TUPLE_ORIG, key, Direction::kOriginal);
  write_tuple(message, CTA_TUPLE_REPLY, untranslated, Direction::kReply);
  if (key.zone != 0) mnl_attr_put_u16(message, CTA_ZONE, htons(key.zone));
  if (!same(reply, untranslated)) {
    // An echo has one identifier for both directions.
    write_translation(message, CTA_NAT_SRC, key, reply.daddr, is_icmp(key) ? reply.sport : reply.dport);
    write_translation(message, CTA_NAT_DST, key, reply.saddr, reply.sport);
  }
  write_state(message, event, min_timeout_s, settable_status(event.session.ct_status));
}

// No translation: the kernel refuses to hear about it for an entry that exists. Status bits are never taken back.
void write_update(nlmsghdr* message, const nsrp_session_event& event, uint32_t min_timeout_s, uint32_t present_status) {
  request_header(message, IPCTNL_MSG_CT_NEW, 0, event.key.family);
  write_tuple(message, CTA_TUPLE_ORIG, event.key, Direction::kOriginal);
  if (event.key.zone != 0) mnl_attr_put_u16(message, CTA_ZONE, htons(event.key.zone));
  // A connection a helper has expected (FTP's data) stays one: the kernel refuses a change of that bit.
  const uint32_t expected = present_status & IPS_EXPECTED;
  write_state(message, event, min_timeout_s, settable_status(event.session.ct_status | present_status) | expected);
}

void write_adjust(nlmsghdr* message, const nsrp_tuple& original, uint32_t timeout_s, bool liberal) {
  request_header(message, IPCTNL_MSG_CT_NEW, 0, original.family);
  write_tuple(message, CTA_TUPLE_ORIG, original, Direction::kOriginal);
  if (original.zone != 0) mnl_attr_put_u16(message, CTA_ZONE, htons(original.zone));
  if (timeout_s != 0) mnl_attr_put_u32(message, CTA_TIMEOUT, htonl(timeout_s));
  if (!liberal) return;
  nlattr* info = mnl_attr_nest_start(message, CTA_PROTOINFO);
  nlattr* tcp = mnl_attr_nest_start(message, CTA_PROTOINFO_TCP);
  write_liberal(message);
  mnl_attr_nest_end(message, tcp);
  mnl_attr_nest_end(message, info);
}

void write_get(nlmsghdr* message, const nsrp_tuple& original) {
  request_header(message, IPCTNL_MSG_CT_GET, 0, original.family);
  write_tuple(message, CTA_TUPLE_ORIG, original, Direction::kOriginal);
  if (original.zone != 0) mnl_attr_put_u16(message, CTA_ZONE, htons(original.zone));
}

void write_delete(nlmsghdr* message, const nsrp_tuple& original) {
  request_header(message, IPCTNL_MSG_CT_DELETE, 0, original.family);
  write_tuple(message, CTA_TUPLE_ORIG, original, Direction::kOriginal);
  if (original.zone != 0) mnl_attr_put_u16(message, CTA_ZONE, htons(original.zone));
}

void write_stats_request(nlmsghdr* message) {
  request_header(message, IPCTNL_MSG_CT_GET_STATS, 0, NSRP_IPV4);
}

std::optional<Entry> parse_entry(const nlmsghdr* message) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(nfgenmsg)) return std::nullopt;
  const Attributes attributes = attributes_of(message);
  Entry entry;
  if (!read_tuple(attributes[CTA_TUPLE_ORIG], entry.original) || !read_tuple(attributes[CTA_TUPLE_REPLY], entry.reply))
    return std::nullopt;
  entry.original.zone = entry.reply.zone = ntohs(read_u16(attributes[CTA_ZONE]));
  entry.status = read_be32(attributes[CTA_STATUS]);
  entry.timeout_s = read_be32(attributes[CTA_TIMEOUT]);
  entry.mark = read_be32(attributes[CTA_MARK]);
  entry.tcp_state = read_u8(nested(nested(attributes[CTA_PROTOINFO])[CTA_PROTOINFO_TCP])[CTA_PROTOINFO_TCP_STATE]);
  return entry;
}

size_t parse_stats(const nlmsghdr* message) {
  return read_be32(attributes_of(message)[CTA_STATS_GLOBAL_ENTRIES]);
}

}  // namespace nsrp::kernel::ctnetlink
