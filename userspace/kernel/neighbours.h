// SPDX-License-Identifier: Apache-2.0
// The kernel's neighbour tables, ARP and neighbour discovery, through rtnetlink: what is learned here, and entries on
// behalf of the peer.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/address.h"
#include "base/ids.h"
#include "base/result.h"

namespace nsrp::kernel {

struct NeighbourEntry {
  IfIndex ifindex;
  IpAddress address;
  MacAddress mac;
  bool usable = false;     // a packet can be sent to it at once; false also stands for an entry that has gone
  bool confirmed = false;  // by the neighbour itself a moment ago, or by an operator for ever
  bool for_peer = false;   // put in by install()
  bool operator==(const NeighbourEntry&) const = default;
};

class Neighbours {
 public:
  static Result<std::unique_ptr<Neighbours>> open();
  ~Neighbours();

  Result<std::vector<NeighbourEntry>> all();
  // Readable when entries changed. Does not block. False: the kernel dropped events, and all() tells.
  int events_fd() const;
  bool consume_events(const std::function<void(const NeighbourEntry&)>& changed);

  // Usable at once, to be confirmed with the first packet (NUD_STALE). Marked as learned elsewhere, which also keeps
  // the kernel from tidying it away while nothing is sent to it.
  Status install(IfIndex ifindex, const IpAddress& address, const MacAddress& mac);
  // The entry is from now on as if it had been learned here. One that has another MAC address by now is left alone.
  Status adopt(IfIndex ifindex, const IpAddress& address, const MacAddress& mac);
  Status remove(IfIndex ifindex, const IpAddress& address);

 private:
  Neighbours();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nsrp::kernel
