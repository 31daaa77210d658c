// SPDX-License-Identifier: Apache-2.0
// Whatever arrives on an HA link: decode() survives it, and what it accepts is what encode() would have sent.
#include <cstdlib>

#include "wire/heartbeat_frame.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace nsrp;
  const auto frame = wire::decode({data, size}, ClusterId{1}, UnitId{1});
  if (!frame) {
    if (frame.error() >= wire::Drop::kCount) std::abort();
    return 0;
  }
  const std::vector<uint8_t> again = wire::encode(*frame);
  const auto decoded = wire::decode(again, ClusterId{1}, UnitId{1});
  if (!decoded || !(*decoded == *frame)) std::abort();
  // The destination is not looked at; every other byte is accounted for.
  if (again.size() != size || !std::equal(again.begin() + 6, again.end(), data + 6)) std::abort();
  return 0;
}
