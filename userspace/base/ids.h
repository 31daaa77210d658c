// SPDX-License-Identifier: Apache-2.0
// Numbers with a meaning. No bare int crosses a room's border.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace nsrp {

template <class Tag, class Rep>
struct Id {
  Rep value{};
  constexpr auto operator<=>(const Id&) const = default;
};

using ClusterId = Id<struct ClusterTag, uint8_t>;  // 1..7; 0: in no cluster (manual ch. 1, NSRP Clusters)
using VsdId = Id<struct VsdTag, uint8_t>;          // 0..63
using Vid = Id<struct VidTag, uint16_t>;           // 1..4094, names a VSI on the data link; 0: none
using IfIndex = Id<struct IfIndexTag, uint32_t>;   // 0: none
using UnitId = Id<struct UnitTag, uint64_t>;       // a device's MAC address as a number; the highest wins a tie

// Twelve hex digits, as a MAC address without colons.
std::string to_string(UnitId id);

}  // namespace nsrp

template <class Tag, class Rep>
struct std::hash<nsrp::Id<Tag, Rep>> {
  size_t operator()(nsrp::Id<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value); }
};
