// SPDX-License-Identifier: Apache-2.0
// Any text as an address: refused, or read as one that prints as a text which reads the same.
#include <cstdlib>
#include <string_view>

#include "base/address.h"

namespace {

template <class Address>
void same_again(std::string_view text) {
  const auto address = Address::parse(text);
  if (!address) return;
  const auto again = Address::parse(to_string(*address));
  if (!again || !(*again == *address)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  same_again<nsrp::MacAddress>(text);  // MacAddress::parse
  same_again<nsrp::IpAddress>(text);   // IpAddress::parse
  same_again<nsrp::Prefix>(text);      // Prefix::parse
  return 0;
}
