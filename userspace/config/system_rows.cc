// SPDX-License-Identifier: Apache-2.0
#include "config/scalar_rows.h"

namespace nsrp::config {

namespace {

constexpr Row kRows[] = {
    {"set hostname <hostname>", CommandId::kSet, "Name of this device (default: the system's)", Propagation::kNever,
     assign<&Config::hostname>, shown<&Config::hostname>},
    {"unset hostname", CommandId::kSet, "Use the system's host name", Propagation::kNever, restore<&Config::hostname>},
    {"set arp always-on-dest", CommandId::kSet,
     "Find every next hop by ARP, never from the source MAC of a frame that came in; Linux does so in any case "
     "(default: off)",
     Propagation::kAlways, assign_switch<&Config::arp_always_on_dest, true>, shown<&Config::arp_always_on_dest>},
    {"unset arp always-on-dest", CommandId::kSet, "Do not ask for what Linux does in any case", Propagation::kAlways,
     assign_switch<&Config::arp_always_on_dest, false>},
    {"unset all", CommandId::kUnsetAll, "Return the whole configuration to its defaults"},
};

}  // namespace

std::span<const Row> system_rows() {
  return kRows;
}

}  // namespace nsrp::config
