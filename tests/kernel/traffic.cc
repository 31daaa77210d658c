// SPDX-License-Identifier: Apache-2.0
#include "traffic.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include <cstring>
#include <fstream>

namespace nsrp::test {
namespace {

std::string nat_rules(int family, Translation translation) {
  const bool ipv4 = family == AF_INET;
  const std::string ip = ipv4 ? "ip" : "ip6";
  const std::string server = ipv4 ? "10.0.2.100" : "[fd00:2::100]", pool = ipv4 ? "10.0.2.200" : "[fd00:2::200]";
  const std::string service = ipv4 ? "10.0.1.200" : "fd00:1::200";
  std::string pre, post;
  if (translation == Translation::kDestination || translation == Translation::kBoth) {
    pre = ip + " daddr " + service + " meta l4proto { tcp, udp } dnat " + ip + " to " + server + ":7007\n" + ip +
          " daddr " + service + " dnat " + ip + " to " + server + "\n";
  }
  if (translation == Translation::kSource || translation == Translation::kBoth) {
    post = "oifname eth2 meta l4proto { tcp, udp } snat " + ip + " to " + pool + ":20000-20100\noifname eth2 snat " +
           ip + " to " + pool + "\n";
  }
  return "chain pre { type nat hook prerouting priority dstnat;\n" + pre +
         "}\nchain post { type nat hook postrouting priority srcnat;\n" + post + "}\n";
}

}  // namespace

TrafficWorld::TrafficWorld(int with_family, Translation translation) : family(with_family) {
  const bool ipv4 = family == AF_INET;
  const bool to_service = translation == Translation::kDestination || translation == Translation::kBoth;
  client_address = ipv4 ? "10.0.1.100" : "fd00:1::100";
  server_address = ipv4 ? "10.0.2.100" : "fd00:2::100";
  target = to_service ? (ipv4 ? "10.0.1.200" : "fd00:1::200") : server_address;
  target_port = 7000;
  server_port = to_service ? 7007 : 7000;
  wire_host(client, "eth1", "1");
  wire_host(server, "eth2", "2");
  set_up_router(a, nat_rules(family, translation),
                "chain f { type filter hook forward priority 0; ct state new accept; }");
  set_up_router(b, nat_rules(family, Translation::kNone),
                "chain f { type filter hook forward priority 0; policy drop; ct state established accept; }");
  connect(false);
}

void TrafficWorld::wire_host(Namespace& host, const std::string& device, const std::string& network) {
  Inside inside(host);
  sh("ip link add br0 type bridge mcast_snooping 0 ageing_time 0 && ip link set br0 up"
     " && ip link add to_a type veth peer name " +
     device + " netns " + a.path() + " && ip link add to_b type veth peer name " + device + " netns " + b.path() +
     " && ip link set to_a up && ip link set to_b up"
     " && ip addr add 10.0." +
     network + ".100/24 dev br0 && ip addr add fd00:" + network +
     "::100/64 dev br0 nodad"
     " && ip route add default via 10.0." +
     network + ".1 && ip route add default via fd00:" + network + "::1");
}

void TrafficWorld::set_up_router(Namespace& router, const std::string& nat, const std::string& forward) {
  Inside inside(router);
  sh("ip link set eth1 address 02:00:00:00:00:01 && ip link set eth2 address 02:00:00:00:00:02"
     " && ip link set eth1 up && ip link set eth2 up"
     " && ip addr add 10.0.1.1/24 dev eth1 && ip addr add 10.0.1.200/24 dev eth1"
     " && ip addr add 10.0.2.1/24 dev eth2 && ip addr add 10.0.2.200/24 dev eth2"
     " && ip addr add fd00:1::1/64 dev eth1 nodad && ip addr add fd00:1::200/64 dev eth1 nodad"
     " && ip addr add fd00:2::1/64 dev eth2 nodad && ip addr add fd00:2::200/64 dev eth2 nodad"
     " && echo 1 > /proc/sys/net/ipv4/ip_forward && echo 1 > /proc/sys/net/ipv6/conf/all/forwarding"
     " && echo 0 > /proc/sys/net/netfilter/nf_conntrack_tcp_loose");
  sh("nft -f - <<'RULES'\ntable inet t {\n" + nat + forward + "\n}\nRULES\n");
}

// By plugging bridge ports: a carrier that changes is acted upon by the kernel up to a second later.
void TrafficWorld::connect(bool to_b) {
  for (const Namespace* host : {&client, &server}) {
    Inside inside(*host);
    sh(to_b ? "ip link set to_a nomaster && ip link set to_b master br0"
            : "ip link set to_b nomaster && ip link set to_a master br0");
  }
}

sockaddr_storage socket_address(int family, const std::string& address, uint16_t port) {
  sockaddr_storage storage{};
  if (family == AF_INET) {
    auto* ipv4 = reinterpret_cast<sockaddr_in*>(&storage);
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons(port);
    REQUIRE(::inet_pton(AF_INET, address.c_str(), &ipv4->sin_addr) == 1);
  } else {
    auto* ipv6 = reinterpret_cast<sockaddr_in6*>(&storage);
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(port);
    REQUIRE(::inet_pton(AF_INET6, address.c_str(), &ipv6->sin6_addr) == 1);
  }
  return storage;
}

socklen_t socket_address_size(int family) {
  return family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

kernel::UniqueFd open_socket(const Namespace& where, int family, int type, int protocol) {
  Inside inside(where);
  kernel::UniqueFd fd(::socket(family, type | SOCK_CLOEXEC, protocol));
  REQUIRE(fd.valid());
  const timeval patience{15, 0};
  REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
  REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0);
  return fd;
}

std::vector<kernel::ctnetlink::Entry> dump_conntrack(int family) {
  kernel::UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  alignas(nlmsghdr) char buffer[1 << 16];
  nlmsghdr* request = mnl_nlmsg_put_header(buffer);
  request->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  auto* header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(nfgenmsg)));
  header->nfgen_family = static_cast<uint8_t>(family);
  REQUIRE(::send(fd.get(), request, request->nlmsg_len, 0) > 0);

  std::vector<kernel::ctnetlink::Entry> entries;
  for (;;) {
    int left = static_cast<int>(::recv(fd.get(), buffer, sizeof buffer, 0));
    REQUIRE(left > 0);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer); mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_type == NLMSG_DONE) return entries;
      if (const auto entry = kernel::ctnetlink::parse_entry(message)) entries.push_back(*entry);
    }
  }
}

kernel::SessionEntry session_of(const kernel::ctnetlink::Entry& entry) {
  kernel::SessionEntry session{};
  session.key = entry.original;
  session.session.reply = entry.reply;
  session.session.ct_status = entry.status;
  session.session.ct_mark = entry.mark;
  session.session.timeout_s = entry.timeout_s;
  session.session.tcp_state = entry.tcp_state;
  return session;
}

}  // namespace nsrp::test
