// SPDX-License-Identifier: Apache-2.0
#include "gateway_lab.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <memory>
#include <stdexcept>

#include "test_box.h"

namespace nsrp::test {
namespace {

using kernel::AddressEntry;
using kernel::Datapath;
using kernel::InterfaceEntry;
using kernel::VsiEntry;

constexpr int kWaitMs = 30'000;

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}
void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}
void check(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress address_of(const std::string& text, uint16_t port) {
  SocketAddress result;
  const IpAddress address = ip(text);
  if (address.family == Family::kIpv4) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.bytes.data(), 4);
    std::memcpy(&result.storage, &v4, result.size = sizeof(v4));
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, address.bytes.data(), 16);
    std::memcpy(&result.storage, &v6, result.size = sizeof(v6));
  }
  return result;
}

void address_hosts(const GatewayLab& lab) {
  lab.client.run(std::string("ip addr add ") + kClient +
                 "/24 dev c0 && ip route add default via 10.1.1.1 && "
                 "ip -6 addr add " +
                 kClient6 + "/64 dev c0 nodad && ip -6 route add default via 2001:db8:1::1");
  lab.server.run(std::string("ip addr add ") + kServer + "/24 dev s0 && ip -6 addr add " + kServer6 +
                 "/64 dev s0 nodad && ip -6 route add default via 2001:db8:2::1");
  lab.gateway.run(
      "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.arp_ignore=1 "
      "net.ipv4.conf.all.arp_announce=2 && "
      "ip addr add 10.1.1.21/24 dev eth1 && ip addr add 10.1.1.1/24 dev eth1 && "
      "ip addr add 20.0.0.21/24 dev eth2 && ip addr add 20.0.0.1/24 dev eth2 && ip addr add 20.0.0.2/24 dev eth2 && "
      "ip -6 addr add 2001:db8:1::1/64 dev eth1 nodad && ip -6 addr add 2001:db8:2::1/64 dev eth2 nodad");
}

void configure(const GatewayLab& lab) {
  const IfIndex eth1 = lab.gateway.ifindex("eth1"), eth2 = lab.gateway.ifindex("eth2");
  const Vid trust{1}, untrust{2};
  Datapath& path = *lab.datapath;
  must(path.attach_traffic(eth1));
  must(path.attach_traffic(eth2));
  must(path.set_interfaces(std::vector<InterfaceEntry>{{eth1, NSRP_IF_TRAFFIC, trust, MacAddress{}},
                                                       {eth2, NSRP_IF_TRAFFIC, untrust, MacAddress{}}}));
  must(path.set_vsis(
      std::vector<VsiEntry>{{eth1, trust, VsdId{0}, mac(kTrustVmac)}, {eth2, untrust, VsdId{0}, mac(kUntrustVmac)}}));
  must(path.set_addresses(std::vector<AddressEntry>{{eth1, ip("10.1.1.1"), NSRP_ADDR_VSI, trust},
                                                    {eth1, ip("2001:db8:1::1"), NSRP_ADDR_VSI, trust},
                                                    {eth1, ip("10.1.1.21"), NSRP_ADDR_DEVICE, Vid{}},
                                                    {eth2, ip("20.0.0.1"), NSRP_ADDR_VSI, untrust},
                                                    {eth2, ip("20.0.0.2"), NSRP_ADDR_VSI, untrust},
                                                    {eth2, ip("2001:db8:2::1"), NSRP_ADDR_VSI, untrust},
                                                    {eth2, ip("20.0.0.21"), NSRP_ADDR_DEVICE, Vid{}}}));
  path.grant_lease(VsdId{0}, now() + seconds{600}, Duration{}, 1);
}

}  // namespace

GatewayLab::GatewayLab(uint32_t max_sessions) {
  connect(client, "c0", gateway, "eth1");
  connect(server, "s0", gateway, "eth2");
  client.in([&] { attach_pass(client.ifindex("c0"), XDP_FLAGS_DRV_MODE); });
  server.in([&] { attach_pass(server.ifindex("s0"), XDP_FLAGS_DRV_MODE); });
  address_hosts(*this);
  nat("postrouting oifname eth2 snat to 20.0.0.1");
  // Conntrack follows IPv6 only where a rule asks for it.
  gateway.run(
      "nft 'table ip6 filter { chain forward { type filter hook forward priority 0; ct state invalid drop; }; }'");
  gateway.in([&] {
    datapath = must(Datapath::open({.bpf_dir = unique_bpf_dir(), .max_sessions = max_sessions}));
    configure(*this);
  });
}

GatewayLab::~GatewayLab() {
  if (datapath) gateway.in([&] { datapath->remove(); });
}

// `rules`: lines of "prerouting …" or "postrouting …".
void GatewayLab::nat(const std::string& rules) const {
  std::string script =
      "table ip nat {}\nflush table ip nat\ntable ip nat {\n"
      "chain prerouting { type nat hook prerouting priority -100; }\n"
      "chain postrouting { type nat hook postrouting priority 100; }\n}\n";
  size_t from = 0;
  while (from < rules.size()) {
    const size_t to = std::min(rules.find('\n', from), rules.size());
    script += "add rule ip nat " + rules.substr(from, to - from) + "\n";
    from = to + 1;
  }
  gateway.run("nft -f - <<'RULES'\n" + script + "RULES");
}

std::optional<nsrp_session> GatewayLab::session(const nsrp_tuple& key) const {
  nsrp_session session{};
  if (bpf_map_lookup_elem(datapath->sessions_fd(), &key, &session) != 0) return std::nullopt;
  return session;
}

void GatewayLab::store_session(const nsrp_tuple& key, const nsrp_session& session) const {
  check(bpf_map_update_elem(datapath->sessions_fd(), &key, &session, BPF_EXIST) == 0, "cannot store the session");
}

std::optional<nsrp_tuple> GatewayLab::indexed(const nsrp_tuple& reply) const {
  nsrp_tuple key{};
  if (bpf_map_lookup_elem(datapath->reply_index_fd(), &reply, &key) != 0) return std::nullopt;
  return key;
}

size_t GatewayLab::session_count() const {
  size_t count = 0;
  nsrp_tuple key{};
  for (const nsrp_tuple* previous = nullptr; bpf_map_get_next_key(datapath->sessions_fd(), previous, &key) == 0;
       previous = &key)
    ++count;
  return count;
}

std::vector<nsrp_session_event> GatewayLab::events() const {
  std::vector<nsrp_session_event> taken;
  const auto take = [](void* to, void* data, size_t size) {
    if (size != sizeof(nsrp_session_event)) return -1;
    static_cast<std::vector<nsrp_session_event>*>(to)->push_back(*static_cast<const nsrp_session_event*>(data));
    return 0;
  };
  const std::unique_ptr<ring_buffer, decltype(&ring_buffer__free)> ring(
      ring_buffer__new(datapath->session_events_fd(), take, &taken, nullptr), ring_buffer__free);
  check(ring != nullptr && ring_buffer__consume(ring.get()) >= 0, "cannot read the ring");
  return taken;
}

uint64_t GatewayLab::count(nsrp_counter counter) const {
  return must(datapath->counters()).at(counter);
}

nsrp_tuple tuple(uint8_t protocol, const std::string& source, uint16_t source_port, const std::string& destination,
                 uint16_t destination_port) {
  nsrp_tuple result{};
  const IpAddress from = ip(source), to = ip(destination);
  std::memcpy(result.saddr, from.bytes.data(), from.size());
  std::memcpy(result.daddr, to.bytes.data(), to.size());
  result.sport = htons(source_port);
  result.dport = htons(destination_port);
  result.proto = protocol;
  result.family = from.family == Family::kIpv4 ? NSRP_IPV4 : NSRP_IPV6;
  return result;
}

bool same(const nsrp_tuple& a, const nsrp_tuple& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

Socket::Socket(const Namespace& where, int type, const std::string& address, uint16_t port) {
  const SocketAddress local = address_of(address, port);
  where.in([&] { fd_ = kernel::UniqueFd(::socket(local.get()->sa_family, type | SOCK_CLOEXEC, 0)); });
  const int on = 1;
  check(setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0, "cannot set a socket option");
  const timeval patience{.tv_sec = kWaitMs / 1000, .tv_usec = 0};
  check(setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0, "cannot set a timeout");
  check(bind(fd_.get(), local.get(), local.size) == 0, "cannot bind");
}

bool Socket::connect(const std::string& address, uint16_t port) const {
  const SocketAddress to = address_of(address, port);
  return ::connect(fd_.get(), to.get(), to.size) == 0;
}

void Socket::listen() const {
  check(::listen(fd_.get(), 8) == 0, "cannot listen");
}

Socket Socket::accept() const {
  pollfd ready{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  check(poll(&ready, 1, kWaitMs) == 1, "nobody connects");
  return Socket(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

void Socket::send(const std::string& text) const {
  check(::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()), "cannot send");
}

void Socket::send_to(const std::string& address, uint16_t port, const std::string& text) const {
  const SocketAddress to = address_of(address, port);
  check(::sendto(fd_.get(), text.data(), text.size(), 0, to.get(), to.size) == static_cast<ssize_t>(text.size()),
        "cannot send");
}

std::optional<uint16_t> Socket::receive() const {
  pollfd ready{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  if (poll(&ready, 1, kWaitMs) != 1) return std::nullopt;
  SocketAddress from;
  from.size = sizeof(from.storage);
  char data[256];
  if (recvfrom(fd_.get(), data, sizeof(data), 0, reinterpret_cast<sockaddr*>(&from.storage), &from.size) < 0)
    return std::nullopt;
  return ntohs(reinterpret_cast<const sockaddr_in*>(&from.storage)->sin_port);  // sin6_port is at the same place
}

void Socket::reply_to_sender() const {
  pollfd ready{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  check(poll(&ready, 1, kWaitMs) == 1, "nothing arrives");
  SocketAddress from;
  from.size = sizeof(from.storage);
  char data[256];
  const ssize_t size =
      recvfrom(fd_.get(), data, sizeof(data), 0, reinterpret_cast<sockaddr*>(&from.storage), &from.size);
  check(size >= 0 && sendto(fd_.get(), data, static_cast<size_t>(size), 0, from.get(), from.size) == size,
        "cannot reply");
}

uint16_t Socket::local_port() const {
  sockaddr_storage local{};
  socklen_t size = sizeof(local);
  check(getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&local), &size) == 0, "no local address");
  return ntohs(reinterpret_cast<const sockaddr_in*>(&local)->sin_port);
}

}  // namespace nsrp::test
