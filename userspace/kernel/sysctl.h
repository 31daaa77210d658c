// SPDX-License-Identifier: Apache-2.0
// Values under /proc/sys/net, which the kernel resolves in the network namespace of the calling thread. Remembers what
// it found, so that a daemon that leaves puts the box back as it was.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace nsrp::kernel {

class Sysctls {
 public:
  // Paths are relative to /proc/sys/net: "ipv4/conf/eth1/arp_ignore".
  static Result<int> read(const std::string& path);
  Status set(const std::string& path, int value);
  // Only raises: for switches whose effective value is the larger of conf/all and conf/<interface>, and where an
  // operator may already have asked for something stricter.
  Status at_least(const std::string& path, int value);
  // Newest change first. What cannot be written back (the interface is gone) is left.
  void restore();

 private:
  struct Change {
    std::string path;
    int found, written;
  };
  std::vector<Change> changes_;
};

}  // namespace nsrp::kernel
