// SPDX-License-Identifier: Apache-2.0
#include "kernel/earlier_layouts.h"

#include "nsrp/abi/nsrp_abi.h"

namespace nsrp::kernel {

static_assert(NSRP_ABI_VERSION == 3, "a new layout: add the one before it to the table below");

// Leases first: the data path must know them before anything else of ours does.
std::span<const EarlierLayout> earlier_layouts() {
  // Up to version 2 a lease had neither succession nor drain behind its term.
  static const EarlierMap leases{"vsd_state", 4, 32, {{0, 0, 32}}};
  static const EarlierMap data_link{"data_link", 4, 24, {{0, 0, 24}}};
  static const EarlierMap sessions{"sessions", 40, 88, {{0, 0, 88}}};
  static const EarlierMap reply_index{"reply_index", 40, 40, {{0, 0, 40}}};
  static const std::vector<EarlierLayout> layouts{
      {2, {leases, data_link, sessions, reply_index}},
      {1, {leases, data_link, sessions, reply_index}},
  };
  return layouts;
}

}  // namespace nsrp::kernel
