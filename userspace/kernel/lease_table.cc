// SPDX-License-Identifier: Apache-2.0
#include "kernel/lease_table.h"

namespace nsrp::kernel {
namespace {

Instant instant(uint64_t ns) {
  return Instant{Duration{static_cast<int64_t>(ns)}};
}

}  // namespace

Result<std::unique_ptr<LeaseTable>> LeaseTable::map(int vsd_state_fd) {
  auto states = MappedArray<nsrp_vsd_state>::map(vsd_state_fd, NSRP_MAX_VSDS, "the lease table");
  if (!states) return fail(states.error());
  return std::unique_ptr<LeaseTable>(new LeaseTable(std::move(*states)));
}

// The process may be killed between any two stores, and a program may look in between. So a word that makes the lease
// weaker is stored before those that make it stronger.
void LeaseTable::grant(VsdId vsd, Instant until, Duration alone_grace, uint64_t term) noexcept {
  if (vsd.value >= NSRP_MAX_VSDS) return;
  nsrp_vsd_state& state = states_[vsd.value];
  const uint64_t until_ns = to_ns(until), grace_ns = to_ns(alone_grace);
  if (until_ns < load(state.master_until_ns)) store(state.master_until_ns, until_ns);
  if (grace_ns != 0) store(state.alone_grace_ns, grace_ns);
  store(state.peer_seen_ns, 0);
  store(state.term, term);
  store(state.master_until_ns, until_ns);
  if (grace_ns == 0) store(state.alone_grace_ns, 0);
  store(state.drain_until_ns, 0);
  clear_succession(state);
}

void LeaseTable::revoke(VsdId vsd, Instant drain_until) noexcept {
  if (vsd.value >= NSRP_MAX_VSDS) return;
  nsrp_vsd_state& state = states_[vsd.value];
  store(state.drain_until_ns, to_ns(drain_until));
  store(state.master_until_ns, 0);
  store(state.alone_grace_ns, 0);
  store(state.peer_seen_ns, 0);
  clear_succession(state);
}

void LeaseTable::succeed(VsdId vsd, Instant until) noexcept {
  if (vsd.value >= NSRP_MAX_VSDS) return;
  nsrp_vsd_state& state = states_[vsd.value];
  if (to_ns(until) == 0) return clear_succession(state);
  store(state.succession_until_ns, to_ns(until));
}

void LeaseTable::clear_succession(nsrp_vsd_state& state) noexcept {
  store(state.succession_until_ns, 0);
  store(state.took_ns, 0);
}

Lease LeaseTable::read(VsdId vsd) const noexcept {
  if (vsd.value >= NSRP_MAX_VSDS) return {};
  nsrp_vsd_state& state = states_[vsd.value];
  return Lease{.until = instant(load(state.master_until_ns)),
               .alone_grace = Duration{static_cast<int64_t>(load(state.alone_grace_ns))},
               .peer_seen = instant(load(state.peer_seen_ns)),
               .term = load(state.term)};
}

}  // namespace nsrp::kernel
