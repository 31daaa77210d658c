// SPDX-License-Identifier: Apache-2.0
// Any bytes, in chunks of any size: the decoder never reads astray, and what it takes encodes to the same bytes again.
#include <algorithm>
#include <cstdlib>

#include "rto/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t chunk = size_t{1} + data[0];
  const std::span<const uint8_t> bytes(data + 1, size - 1);
  nsrp::rto::Decoder decoder;
  std::vector<uint8_t> again;
  for (size_t at = 0; at < bytes.size(); at += chunk) {
    decoder.feed(bytes.subspan(at, std::min(chunk, bytes.size() - at)));
    for (;;) {
      const auto message = decoder.next();
      if (!message || !*message) break;
      nsrp::rto::append(again, **message);
    }
  }
  if (again.size() > bytes.size() || !std::equal(again.begin(), again.end(), bytes.begin())) std::abort();
  return 0;
}
