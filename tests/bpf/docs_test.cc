// SPDX-License-Identifier: Apache-2.0
// docs/bpf.md and the ABI header say the same.
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "kernel/datapath.h"

using namespace nsrp;

TEST_CASE("docs/bpf.md explains every counter in the words of the ABI header") {
  std::ifstream file(NSRP_BPF_DOC);
  REQUIRE(file);
  std::stringstream text;
  text << file.rdbuf();
  for (int i = 0; i < NSRP_CNT_MAX; ++i) {
    const auto counter = static_cast<nsrp_counter>(i);
    const std::string row =
        "| `" + std::string(kernel::counter_name(counter)) + "` | " + std::string(kernel::counter_help(counter)) + " |";
    CHECK_MESSAGE(text.str().find(row) != std::string::npos, row);
  }
}
