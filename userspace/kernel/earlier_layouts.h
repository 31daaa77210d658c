// SPDX-License-Identifier: Apache-2.0
// What maps looked like in earlier versions of nsrp_abi.h, and how their contents become ours. A version that changes a
// layout adds its predecessor here: sizes as they were, written out, for no header tells them any more.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace nsrp::kernel {

// `bytes` of an old value, from `from`, are found at `to` in ours. What no move writes is zero.
struct FieldMove {
  size_t from, to, bytes;
};

struct EarlierMap {
  std::string_view name;  // the same as today's
  size_t key_bytes;       // keys have not changed
  size_t value_bytes;
  std::vector<FieldMove> moves;
};

struct EarlierLayout {
  unsigned version;
  std::vector<EarlierMap> maps;  // those that matter: what the daemon fills anew at each start is left out
};

std::span<const EarlierLayout> earlier_layouts();  // the latest first

}  // namespace nsrp::kernel
