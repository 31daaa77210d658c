// SPDX-License-Identifier: Apache-2.0
#include "config/scalar_rows.h"

namespace nsrp::config {

namespace {

constexpr Row kRows[] = {
    {"set hostname <hostname>", CommandId::kSet, "Name of this device (default: the system's)", Propagation::kNever,
     assign<&Config::hostname>, shown<&Config::hostname>},
    {"unset hostname", CommandId::kSet, "Use the system's host name", Propagation::kNever, restore<&Config::hostname>},
    {"unset all", CommandId::kUnsetAll, "Return the whole configuration to its defaults"},
};

}  // namespace

std::span<const Row> system_rows() {
  return kRows;
}

}  // namespace nsrp::config
