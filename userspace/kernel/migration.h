// SPDX-License-Identifier: Apache-2.0
// An upgrade: the maps of an earlier layout are still pinned, and its programs still work on them. Their contents are
// copied into ours, then our programs take the place of the earlier ones, then what has come meanwhile is copied, then
// the earlier pins go.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "kernel/earlier_layouts.h"
#include "kernel/pins.h"
#include "kernel/unique_fd.h"

namespace nsrp::kernel {

class Migration {
 public:
  using MapFd = std::function<int(const std::string& name)>;  // of our maps

  // The latest earlier layout of which something is pinned. Maps of other sizes than it had are left alone.
  static std::optional<Migration> find(const Pins& pins);

  unsigned version() const { return layout_->version; }
  // Entries for which there is no room are left out. Returns how many were.
  Result<size_t> copy_all(const MapFd& ours) const;
  Result<size_t> copy_new_sessions(const MapFd& ours) const;

 private:
  explicit Migration(const EarlierLayout& layout) : layout_(&layout) {}

  const EarlierLayout* layout_;
  std::map<std::string_view, UniqueFd> maps_;
};

}  // namespace nsrp::kernel
