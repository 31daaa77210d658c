// SPDX-License-Identifier: Apache-2.0
// Interfaces in security zones that carry messages of the cluster. Printed after the interfaces, whose zone decides
// whether they may.
#include "config/scalar_rows.h"

namespace nsrp::config {

namespace {

constexpr Row kRows[] = {
    {"set nsrp interface <interface>", CommandId::kSet,
     "Interface in a security zone that carries control messages when no link in zone ha does", Propagation::kAlways,
     assign<&Config::control_interface>, shown<&Config::control_interface>},
    {"unset nsrp interface", CommandId::kSet, "Let only interfaces in zone ha carry control messages",
     Propagation::kAlways, restore<&Config::control_interface>},
    {"set nsrp secondary-path <interface>", CommandId::kSet,
     "Interface that carries VSD heartbeats when every HA link is down", Propagation::kAlways,
     assign<&Config::secondary_path>, shown<&Config::secondary_path>},
    {"unset nsrp secondary-path", CommandId::kSet, "Use no secondary path", Propagation::kAlways,
     restore<&Config::secondary_path>},
};

}  // namespace

std::span<const Row> path_rows() {
  return kRows;
}

}  // namespace nsrp::config
