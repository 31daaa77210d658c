// SPDX-License-Identifier: Apache-2.0
// Telling our BPF programs from other people's, by the prefix of their names.
#pragma once

#include <cstdint>
#include <string>

namespace nsrp::kernel {

inline constexpr const char* kProgramPrefix = "nsrp_";

// The name of a loaded program, "" when it is gone or not to be read.
std::string program_name(uint32_t program_id);
bool is_our_program(uint32_t program_id);

// "eth1", or "interface 7" when it has gone.
std::string interface_label(uint32_t ifindex);

}  // namespace nsrp::kernel
