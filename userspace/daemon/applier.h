// SPDX-License-Identifier: Apache-2.0
// Makes the kernel hold what a Plan says, in an order that never lets a VSI address be answered without its guard:
// tables, then programs, then addresses; and the other way round when something goes away. A port of the transparent
// device enters the bridge behind its programs, and leaves it before them.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "daemon/event_log.h"
#include "daemon/plan.h"

namespace nsrp::daemon {

class Applier {
 public:
  Applier(kernel::Datapath& datapath, kernel::Network& network, EventLog& events)
      : datapath_(datapath), network_(network), events_(events) {}

  // What an earlier run that died had applied: the next apply() takes over what stays and cleans what does not.
  void adopt(Plan left_behind) { current_ = std::move(left_behind); }
  // On failure the sentence names the interface; the caller applies the previous plan again.
  Status apply(const Plan& plan);
  // Addresses, routes and rules away, then programs: what an orderly stop does.
  void remove_all();
  kernel::XdpMode xdp_mode(const std::string& ifname) const;

 private:
  enum class Role : uint8_t { kNone, kTraffic, kHa, kPort };
  static Role role_of(const InterfacePlan& interface);
  Status prepare(const std::string& name, Role role);
  Status attach(const Plan& plan, const std::string& name, const InterfacePlan& interface);
  Result<kernel::XdpMode> attach_programs(const InterfacePlan& interface);
  bool lift_programs_above(const Plan& plan, IfIndex ifindex);
  Status configure(const Plan& plan);
  void release_interfaces_not_in(const Plan& plan);

  kernel::Datapath& datapath_;
  kernel::Network& network_;
  EventLog& events_;
  Plan current_;
  struct Attached {
    IfIndex ifindex;
    Role role;
    kernel::XdpMode mode;
  };
  std::map<std::string, Attached> attached_;
};

}  // namespace nsrp::daemon
