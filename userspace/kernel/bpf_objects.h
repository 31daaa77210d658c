// SPDX-License-Identifier: Apache-2.0
// The four BPF objects, loaded with one set of maps between them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/result.h"
#include "kernel/pins.h"
#include "kernel/unique_fd.h"

namespace nsrp::kernel {

struct BpfObjectOptions {
  uint32_t max_sessions;
  uint32_t event_ring_bytes;  // a power of two, whole pages
  bool sessions_enabled;
  uint32_t kernel_hz;
};

class BpfObjects {
 public:
  // Uses the pinned maps when all are there and fit; otherwise unpins them and makes new ones. Pins everything.
  static Result<std::unique_ptr<BpfObjects>> load(const Pins& pins, const BpfObjectOptions& options);
  ~BpfObjects();

  bool adopted() const { return adopted_; }
  int map_fd(const std::string& name) const;
  int program_fd(const std::string& name) const;

 private:
  BpfObjects();
  Status open(const BpfObjectOptions& options);
  bool adopt(const Pins& pins);
  Status load_programs();
  Status pin(const Pins& pins) const;

  struct Skeletons;
  std::unique_ptr<Skeletons> skeletons_;
  std::map<std::string, UniqueFd> maps_;
  std::set<std::string> adopted_maps_;
  std::map<std::string, int> programs_;  // owned by the skeletons
  bool adopted_ = false;
};

}  // namespace nsrp::kernel
