// SPDX-License-Identifier: Apache-2.0
#include "base/ids.h"

#include <cstdio>

namespace nsrp {

std::string to_string(UnitId id) {
  char text[17];
  std::snprintf(text, sizeof text, "%012llx", static_cast<unsigned long long>(id.value));
  return text;
}

}  // namespace nsrp
