// SPDX-License-Identifier: Apache-2.0
#include "core/message.h"

namespace nsrp::core {

std::string_view to_string(VsdState state) {
  switch (state) {
    case VsdState::kInitial:
      return "initial";
    case VsdState::kMaster:
      return "master";
    case VsdState::kPrimaryBackup:
      return "primary backup";
    case VsdState::kBackup:
      return "backup";
    case VsdState::kIneligible:
      return "ineligible";
    case VsdState::kInoperable:
      return "inoperable";
  }
  return "unknown";
}

}  // namespace nsrp::core
