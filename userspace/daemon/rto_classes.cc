// SPDX-License-Identifier: Apache-2.0
#include "daemon/rto_classes.h"

namespace nsrp::daemon {

std::unique_ptr<RtoClass> make_arp_class();  // rto_arp.cc
std::unique_ptr<RtoClass> make_mac_class();  // rto_mac.cc
std::unique_ptr<RtoClass> make_rm_class();   // rto_rm.cc

std::span<const RtoClassEntry> rto_classes() {
  static constexpr RtoClassEntry kClasses[] = {
      {"arp", true, make_arp_class}, {"auth-table", false, nullptr}, {"dhcp", false, nullptr},
      {"dns", false, nullptr},       {"l2tp", false, nullptr},       {"mac", true, make_mac_class},
      {"phase1-sa", false, nullptr}, {"pki", false, nullptr},        {"rm", true, make_rm_class},
      {"session", true, nullptr},    {"vpn", false, nullptr},
  };
  return kClasses;
}

}  // namespace nsrp::daemon
