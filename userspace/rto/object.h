// SPDX-License-Identifier: Apache-2.0
// A run-time object of one of the classes other than sessions: few, small, and of any shape. What key and value mean is
// the class's business; the mirror only needs to know whether they are well formed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace nsrp::rto {

// On the wire; never given to another class.
enum class ClassId : uint8_t { kSession = 0, kArp = 1, kRm = 2, kMac = 3 };

struct Object {
  VsdId vsd;
  std::string key, value;  // bytes
  bool operator==(const Object&) const = default;
};
struct EndedObject {
  VsdId vsd;
  std::string key;
  bool operator==(const EndedObject&) const = default;
};

// What the mirror must know of a class.
struct ObjectRules {
  ClassId id;
  std::string_view name;  // as in `exec nsrp sync rto`
  size_t max_objects;     // more are not mirrored
  // Whether a peer may send this: everything else closes the channel.
  bool (*valid_key)(const std::string& key);
  bool (*valid_value)(const std::string& value);
};

// Classes a device has: bit n for class n.
class ClassSet {
 public:
  constexpr ClassSet() = default;
  static constexpr ClassSet from_bits(uint16_t bits) {
    ClassSet set;
    set.bits_ = bits;
    return set;
  }
  constexpr uint16_t bits() const { return bits_; }
  constexpr bool contains(ClassId id) const { return (bits_ >> static_cast<unsigned>(id) & 1) != 0; }
  constexpr void insert(ClassId id) { bits_ = static_cast<uint16_t>(bits_ | 1u << static_cast<unsigned>(id)); }
  constexpr bool operator==(const ClassSet&) const = default;

 private:
  uint16_t bits_ = 0;
};

}  // namespace nsrp::rto
