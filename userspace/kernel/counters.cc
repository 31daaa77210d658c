// SPDX-License-Identifier: Apache-2.0
#include "kernel/counters.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <numeric>

#include "kernel/libbpf_log.h"

namespace nsrp::kernel {
namespace {

constexpr std::array<std::string_view, NSRP_CNT_MAX> kNames = {
#define NSRP_X(name, text) #name,
    NSRP_COUNTERS(NSRP_X)
#undef NSRP_X
};

constexpr std::array<std::string_view, NSRP_CNT_MAX> kHelp = {
#define NSRP_X(name, text) text,
    NSRP_COUNTERS(NSRP_X)
#undef NSRP_X
};

Result<size_t> cpu_slots() {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return fail("cannot tell the number of CPUs: " + errno_text(cpus));
  return static_cast<size_t>(cpus);
}

}  // namespace

std::string_view counter_name(nsrp_counter counter) {
  return counter < NSRP_CNT_MAX ? kNames.at(counter) : "";
}
std::string_view counter_help(nsrp_counter counter) {
  return counter < NSRP_CNT_MAX ? kHelp.at(counter) : "";
}

Result<Counters> read_counters(int counters_fd) {
  const Result<size_t> cpus = cpu_slots();
  if (!cpus) return fail(cpus.error());
  std::vector<uint64_t> per_cpu(*cpus);
  Counters sums{};
  for (uint32_t key = 0; key < NSRP_CNT_MAX; ++key) {
    if (const int err = bpf_map_lookup_elem(counters_fd, &key, per_cpu.data()); err != 0)
      return fail("cannot read the counters of the data path: " + errno_text(err));
    sums.at(key) = std::accumulate(per_cpu.begin(), per_cpu.end(), uint64_t{0});
  }
  return sums;
}

Status clear_counters(int counters_fd) {
  const Result<size_t> cpus = cpu_slots();
  if (!cpus) return fail(cpus.error());
  const std::vector<uint64_t> zeros(*cpus);
  for (uint32_t key = 0; key < NSRP_CNT_MAX; ++key) {
    if (const int err = bpf_map_update_elem(counters_fd, &key, zeros.data(), BPF_ANY); err != 0)
      return fail("cannot clear the counters of the data path: " + errno_text(err));
  }
  return {};
}

}  // namespace nsrp::kernel
