// SPDX-License-Identifier: Apache-2.0
// Any bytes as a golden case: refused, or read. Cases are played by people who wrote or recorded them; what they tell a
// Member is theirs to answer for.
#include <cstdlib>

#include "golden/case.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto golden = nsrp::golden::parse_case({reinterpret_cast<const char*>(data), size});
  if (!golden && golden.error().message.empty()) std::abort();
  return 0;
}
