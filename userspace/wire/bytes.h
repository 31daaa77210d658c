// SPDX-License-Identifier: Apache-2.0
// Big-endian fields in and out of frames.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/ids.h"

namespace nsrp::wire {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;

class Writer {
 public:
  explicit Writer(size_t size) { bytes_.reserve(size); }
  template <class T>
  void number(T value) {
    put(static_cast<uint64_t>(value), sizeof(T));
  }
  void unit(UnitId unit) { put(unit.value, 6); }  // a unit id is a MAC address
  void raw(ByteView bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  Bytes take() { return std::move(bytes_); }

 private:
  void put(uint64_t value, size_t size) {
    for (size_t shift = size * 8; shift > 0; shift -= 8) bytes_.push_back(static_cast<uint8_t>(value >> (shift - 8)));
  }
  Bytes bytes_;
};

// Reads past the end give zeros and are remembered.
class Reader {
 public:
  explicit Reader(ByteView bytes) : rest_(bytes) {}
  template <class T>
  T number() {
    return static_cast<T>(get(sizeof(T)));
  }
  UnitId unit() { return UnitId{get(6)}; }
  template <size_t N>
  std::array<uint8_t, N> raw() {
    std::array<uint8_t, N> bytes{};
    for (uint8_t& each : bytes) each = byte();
    return bytes;
  }
  bool overrun() const { return overrun_; }
  bool at_end() const { return !overrun_ && rest_.empty(); }

 private:
  uint64_t get(size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i) value = value << 8 | byte();
    return value;
  }
  uint8_t byte() {
    if (rest_.empty()) {
      overrun_ = true;
      return 0;
    }
    const uint8_t first = rest_.front();
    rest_ = rest_.subspan(1);
    return first;
  }
  ByteView rest_;
  bool overrun_ = false;
};

}  // namespace nsrp::wire
