// SPDX-License-Identifier: Apache-2.0
#include "kernel/lease_table.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "kernel/libbpf_log.h"

namespace nsrp::kernel {
namespace {

// Others read and write these words at the same moment: BPF programs on any CPU, and an earlier or later process.
void store(nsrp_u64& word, uint64_t value) {
  std::atomic_ref<nsrp_u64>(word).store(value);
}
uint64_t load(nsrp_u64& word) {
  return std::atomic_ref<nsrp_u64>(word).load();
}
Instant instant(uint64_t ns) {
  return Instant{Duration{static_cast<int64_t>(ns)}};
}

}  // namespace

Result<std::unique_ptr<LeaseTable>> LeaseTable::map(int vsd_state_fd) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t bytes = (sizeof(nsrp_vsd_state) * NSRP_MAX_VSDS + page - 1) / page * page;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vsd_state_fd, 0);
  if (memory == MAP_FAILED) return fail("cannot map the lease table into memory: " + errno_text(errno));
  return std::unique_ptr<LeaseTable>(new LeaseTable(static_cast<nsrp_vsd_state*>(memory), bytes));
}

LeaseTable::~LeaseTable() {
  (void)munmap(states_, bytes_);
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
