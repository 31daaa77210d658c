// SPDX-License-Identifier: Apache-2.0
// Where maps and programs are pinned: <bpf_dir>/v<NSRP_ABI_VERSION>/, maps by name, programs as prog_<name>.
#pragma once

#include <string>

#include "base/result.h"
#include "kernel/unique_fd.h"

namespace nsrp::kernel {

class Pins {
 public:
  explicit Pins(std::string bpf_dir);

  // Makes the directories (mounting bpffs at /sys/fs/bpf when it is missing there).
  Status prepare() const;
  UniqueFd open_map(const std::string& name) const;  // invalid when it is not there
  UniqueFd open_earlier_map(unsigned version, const std::string& name) const;
  void remove_other_layouts() const;
  // Both replace what has the name.
  Status pin_map(const std::string& name, int fd) const;
  Status pin_program(const std::string& name, int fd) const;
  // Unpins everything of this layout; remove() takes the directories too.
  void clear() const;
  void remove() const;
  void remove_if_empty() const;

 private:
  Status pin(const std::string& path, int fd) const;
  std::string dir_of(unsigned version) const;

  std::string root_, dir_;
};

}  // namespace nsrp::kernel
