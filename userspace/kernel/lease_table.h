// SPDX-License-Identifier: Apache-2.0
// The leases of struct nsrp_vsd_state, in memory shared with the BPF programs. Every function is a few stores.
#pragma once

#include <memory>

#include "base/result.h"
#include "kernel/datapath.h"
#include "kernel/mapped_array.h"

namespace nsrp::kernel {

class LeaseTable {
 public:
  static Result<std::unique_ptr<LeaseTable>> map(int vsd_state_fd);

  void grant(VsdId vsd, Instant until, Duration alone_grace, uint64_t term) noexcept;
  void revoke(VsdId vsd, Instant drain_until) noexcept;
  void succeed(VsdId vsd, Instant until) noexcept;
  Lease read(VsdId vsd) const noexcept;

 private:
  explicit LeaseTable(MappedArray<nsrp_vsd_state> states) : states_(std::move(states)) {}
  static void clear_succession(nsrp_vsd_state& state) noexcept;

  MappedArray<nsrp_vsd_state> states_;
};

}  // namespace nsrp::kernel
