// SPDX-License-Identifier: Apache-2.0
#include "kernel/program_identity.h"

#include <bpf/bpf.h>
#include <net/if.h>

#include <array>

#include "kernel/unique_fd.h"

namespace nsrp::kernel {

std::string program_name(uint32_t program_id) {
  if (program_id == 0) return "";
  const UniqueFd program(bpf_prog_get_fd_by_id(program_id));
  if (!program.valid()) return "";
  bpf_prog_info info{};
  uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0) return "";
  return info.name;
}

bool is_our_program(uint32_t program_id) {
  return program_name(program_id).starts_with(kProgramPrefix);
}

std::string interface_label(uint32_t ifindex) {
  std::array<char, IF_NAMESIZE> name{};
  if (if_indextoname(ifindex, name.data()) == nullptr) return "interface " + std::to_string(ifindex);
  return name.data();
}

}  // namespace nsrp::kernel
