// SPDX-License-Identifier: Apache-2.0
#include "ctnetlink_reader.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>

namespace nsrp::sessions {
namespace {

constexpr size_t kBuffer = 1 << 18;

// Attributes by their type; what is newer than these headers is left out.
template <size_t N>
using Attributes = std::array<const nlattr*, N>;

template <size_t N>
int keep(const nlattr* attribute, void* data) {
  auto& found = *static_cast<Attributes<N>*>(data);
  if (mnl_attr_get_type(attribute) < N) found[mnl_attr_get_type(attribute)] = attribute;
  return MNL_CB_OK;
}

template <size_t N>
Attributes<N> split(const nlattr* nest) {
  Attributes<N> found{};
  (void)mnl_attr_parse_nested(nest, keep<N>, &found);
  return found;
}

uint16_t port_of(const nlattr* attribute) {
  return attribute == nullptr ? uint16_t{0} : ntohs(mnl_attr_get_u16(attribute));
}

void copy_address(const nlattr* attribute, Address& to) {
  if (attribute == nullptr) return;
  std::memcpy(to.data(), mnl_attr_get_payload(attribute),
              std::min<size_t>(mnl_attr_get_payload_len(attribute), to.size()));
}

void read_addresses(const nlattr* nest, Direction& direction) {
  const auto ip = split<CTA_IP_MAX + 1>(nest);
  copy_address(ip[CTA_IP_V4_SRC] != nullptr ? ip[CTA_IP_V4_SRC] : ip[CTA_IP_V6_SRC], direction.from);
  copy_address(ip[CTA_IP_V4_DST] != nullptr ? ip[CTA_IP_V4_DST] : ip[CTA_IP_V6_DST], direction.to);
}

uint8_t byte_of(const nlattr* attribute) {
  return attribute == nullptr ? uint8_t{0} : mnl_attr_get_u8(attribute);
}

void read_ports(const nlattr* nest, Direction& direction, uint8_t& protocol) {
  const auto proto = split<CTA_PROTO_MAX + 1>(nest);
  protocol = byte_of(proto[CTA_PROTO_NUM]);
  direction.from_port = port_of(proto[CTA_PROTO_SRC_PORT]);
  direction.to_port = port_of(proto[CTA_PROTO_DST_PORT]);
  const bool v4 = proto[CTA_PROTO_ICMP_ID] != nullptr, v6 = proto[CTA_PROTO_ICMPV6_ID] != nullptr;
  if (!v4 && !v6) return;
  const uint8_t type = byte_of(proto[v4 ? CTA_PROTO_ICMP_TYPE : CTA_PROTO_ICMPV6_TYPE]);
  const uint8_t code = byte_of(proto[v4 ? CTA_PROTO_ICMP_CODE : CTA_PROTO_ICMPV6_CODE]);
  direction.from_port = port_of(proto[v4 ? CTA_PROTO_ICMP_ID : CTA_PROTO_ICMPV6_ID]);
  direction.to_port = static_cast<uint16_t>(type << 8 | code);
}

void read_direction(const nlattr* nest, Direction& direction, uint8_t& protocol) {
  if (nest == nullptr) return;
  const auto tuple = split<CTA_TUPLE_MAX + 1>(nest);
  if (tuple[CTA_TUPLE_IP] != nullptr) read_addresses(tuple[CTA_TUPLE_IP], direction);
  if (tuple[CTA_TUPLE_PROTO] != nullptr) read_ports(tuple[CTA_TUPLE_PROTO], direction, protocol);
}

Life tcp_life(uint8_t state) {
  switch (state) {
    case TCP_CONNTRACK_ESTABLISHED:
      return Life::kOpen;
    case TCP_CONNTRACK_FIN_WAIT:
    case TCP_CONNTRACK_CLOSE_WAIT:
    case TCP_CONNTRACK_LAST_ACK:
      return Life::kClosing;
    case TCP_CONNTRACK_TIME_WAIT:
    case TCP_CONNTRACK_CLOSE:
      return Life::kClosed;
    default:
      return Life::kOpening;
  }
}

std::optional<uint8_t> tcp_state(const nlattr* protoinfo) {
  if (protoinfo == nullptr) return std::nullopt;
  const nlattr* tcp = split<CTA_PROTOINFO_MAX + 1>(protoinfo)[CTA_PROTOINFO_TCP];
  if (tcp == nullptr) return std::nullopt;
  return byte_of(split<CTA_PROTOINFO_TCP_MAX + 1>(tcp)[CTA_PROTOINFO_TCP_STATE]);
}

std::optional<Flow> parse(const nlmsghdr* message) {
  Attributes<CTA_MAX + 1> found{};
  (void)mnl_attr_parse(message, sizeof(nfgenmsg), keep<CTA_MAX + 1>, &found);
  if (found[CTA_TUPLE_ORIG] == nullptr || found[CTA_TUPLE_REPLY] == nullptr) return std::nullopt;
  Flow flow;
  uint8_t reply_protocol = 0;
  flow.family = static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(message))->nfgen_family;
  read_direction(found[CTA_TUPLE_ORIG], flow.original, flow.protocol);
  read_direction(found[CTA_TUPLE_REPLY], flow.reply, reply_protocol);
  flow.zone = port_of(found[CTA_ZONE]);
  if (found[CTA_MARK] != nullptr) flow.mark = ntohl(mnl_attr_get_u32(found[CTA_MARK]));
  const uint32_t status = found[CTA_STATUS] == nullptr ? 0 : ntohl(mnl_attr_get_u32(found[CTA_STATUS]));
  flow.source_nat = (status & IPS_SRC_NAT) != 0;
  flow.destination_nat = (status & IPS_DST_NAT) != 0;
  if (const auto state = tcp_state(found[CTA_PROTOINFO])) {
    flow.life = tcp_life(*state);
  } else if ((status & IPS_ASSURED) != 0) {
    flow.life = Life::kStream;
  } else {
    flow.life = (status & IPS_SEEN_REPLY) != 0 ? Life::kReplied : Life::kUnreplied;
  }
  return flow;
}

nlmsghdr* begin_get(char* buffer, uint16_t flags, uint32_t sequence, uint8_t family) {
  nlmsghdr* message = mnl_nlmsg_put_header(buffer);
  message->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
  message->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  message->nlmsg_seq = sequence;
  auto* general = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  general->nfgen_family = family;
  general->version = NFNETLINK_V0;
  return message;
}

int error_of(const nlmsghdr* message) {
  return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
}

}  // namespace

Result<CtnetlinkReader> CtnetlinkReader::open(const std::string& name_of_namespace) {
  Result<Fd> fd = open_socket(name_of_namespace, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
  if (!fd) return fail(fd.error());
  const int room = 8 << 20;
  (void)setsockopt(fd->get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  return CtnetlinkReader(std::move(*fd));
}

Status CtnetlinkReader::send(const nlmsghdr* message) {
  if (::send(fd_.get(), message, message->nlmsg_len, 0) < 0) return fail(last_error("cannot ask conntrack"));
  return {};
}

Result<std::vector<Flow>> CtnetlinkReader::all() {
  std::vector<char> buffer(kBuffer);
  if (Status sent = send(begin_get(buffer.data(), NLM_F_DUMP, ++sequence_, AF_UNSPEC)); !sent)
    return fail(sent.error());
  std::vector<Flow> flows;
  for (;;) {
    const ssize_t size = recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail(last_error("cannot read conntrack"));
    int left = static_cast<int>(size);
    for (auto* each = reinterpret_cast<nlmsghdr*>(buffer.data()); mnl_nlmsg_ok(each, left);
         each = mnl_nlmsg_next(each, &left)) {
      if (each->nlmsg_type == NLMSG_DONE) return flows;
      if (each->nlmsg_type == NLMSG_ERROR) {
        errno = error_of(each);
        return fail(last_error("conntrack refuses to be read"));
      }
      if (const auto flow = parse(each)) flows.push_back(*flow);
    }
  }
}

Result<bool> CtnetlinkReader::has(uint8_t protocol, const Direction& original) {
  alignas(nlmsghdr) std::array<char, 1 << 13> buffer;
  nlmsghdr* message = begin_get(buffer.data(), 0, ++sequence_, AF_INET);
  nlattr* tuple = mnl_attr_nest_start(message, CTA_TUPLE_ORIG);
  nlattr* ip = mnl_attr_nest_start(message, CTA_TUPLE_IP);
  mnl_attr_put(message, CTA_IP_V4_SRC, 4, original.from.data());
  mnl_attr_put(message, CTA_IP_V4_DST, 4, original.to.data());
  mnl_attr_nest_end(message, ip);
  nlattr* proto = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
  mnl_attr_put_u8(message, CTA_PROTO_NUM, protocol);
  mnl_attr_put_u16(message, CTA_PROTO_SRC_PORT, htons(original.from_port));
  mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(original.to_port));
  mnl_attr_nest_end(message, proto);
  mnl_attr_nest_end(message, tuple);
  if (Status sent = send(message); !sent) return fail(sent.error());
  const ssize_t size = recv(fd_.get(), buffer.data(), buffer.size(), 0);
  if (size < 0) return fail(last_error("cannot read conntrack"));
  const auto* answer = reinterpret_cast<const nlmsghdr*>(buffer.data());
  if (answer->nlmsg_type != NLMSG_ERROR) return true;
  if (error_of(answer) == ENOENT) return false;
  errno = error_of(answer);
  return fail(last_error("conntrack refuses to look"));
}

}  // namespace nsrp::sessions
