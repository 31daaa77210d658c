// SPDX-License-Identifier: Apache-2.0
// What a packet costs in each program by itself, with few and with many VSDs and VSIs.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace nsrp::bench {

struct ProgramCost {
  size_t vsds, vsis;
  std::string program;
  double ns;
};

std::vector<ProgramCost> program_costs(const std::vector<size_t>& vsd_counts, const std::vector<size_t>& vsi_counts);

}  // namespace nsrp::bench
