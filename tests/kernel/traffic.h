// SPDX-License-Identifier: Apache-2.0
// A client and a server, each on a bridge, and between them two routers that hold the same addresses and MACs. One of
// them is connected. Router A translates new flows; router B forwards established flows only and translates nothing by
// itself: what passes it was installed.
//
//   client ── br ── eth1 A eth2 ── br ── server
//               └── eth1 B eth2 ──┘
#pragma once

#include <netinet/in.h>

#include <string>
#include <vector>

#include "kernel/ctnetlink_message.h"
#include "kernel/session_table.h"
#include "namespaces.h"

namespace nsrp::test {

enum class Translation { kNone, kSource, kDestination, kBoth };

class TrafficWorld {
 public:
  TrafficWorld(int family, Translation translation);

  Namespace client, server, a, b;
  void connect(bool to_b);

  int family;
  std::string client_address, server_address;
  std::string target;  // what the client talks to
  uint16_t target_port, server_port;

 private:
  void wire_host(Namespace& host, const std::string& device, const std::string& network);
  void set_up_router(Namespace& router, const std::string& nat_rules, const std::string& forward_rules);
};

sockaddr_storage socket_address(int family, const std::string& address, uint16_t port);
socklen_t socket_address_size(int family);
// A socket of the namespace, which gives up waiting after some seconds.
kernel::UniqueFd open_socket(const Namespace& where, int family, int type, int protocol = 0);

// All entries of the present namespace.
std::vector<kernel::ctnetlink::Entry> dump_conntrack(int family);
// As the other member would have recorded it.
kernel::SessionEntry session_of(const kernel::ctnetlink::Entry& entry);

}  // namespace nsrp::test
