// SPDX-License-Identifier: Apache-2.0
// Reads the conntrack table of a network namespace through ctnetlink, which is what `conntrack -L` does; a million
// entries take the program, but not a shell script, two seconds.
#pragma once

#include <string>
#include <vector>

#include "flow.h"
#include "host.h"

struct nlmsghdr;

namespace nsrp::sessions {

class CtnetlinkReader {
 public:
  static Result<CtnetlinkReader> open(const std::string& name_of_namespace);
  Result<std::vector<Flow>> all();
  // Whether there is an entry with this original direction (IPv4).
  Result<bool> has(uint8_t protocol, const Direction& original);

 private:
  explicit CtnetlinkReader(Fd fd) : fd_(std::move(fd)) {}
  Status send(const nlmsghdr* message);
  Fd fd_;
  uint32_t sequence_ = 0;
};

}  // namespace nsrp::sessions
