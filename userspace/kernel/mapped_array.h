// SPDX-License-Identifier: Apache-2.0
// An array map in memory shared with the BPF programs (BPF_F_MMAPABLE). Others read and write its words at the same
// moment: programs on any CPU, and an earlier or later process.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "base/result.h"
#include "kernel/libbpf_log.h"
#include "nsrp/abi/nsrp_abi.h"

namespace nsrp::kernel {

template <class Value>
class MappedArray {
 public:
  static Result<MappedArray> map(int fd, size_t entries, const std::string& what) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t bytes = (sizeof(Value) * entries + page - 1) / page * page;
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return fail("cannot map " + what + " into memory: " + errno_text(errno));
    return MappedArray(static_cast<Value*>(memory), entries, bytes);
  }
  ~MappedArray() {
    if (values_ != nullptr) (void)munmap(values_, bytes_);
  }
  MappedArray(MappedArray&& other) noexcept
      : values_(std::exchange(other.values_, nullptr)), size_(other.size_), bytes_(other.bytes_) {}
  MappedArray(const MappedArray&) = delete;
  MappedArray& operator=(const MappedArray&) = delete;

  size_t size() const { return size_; }
  Value& operator[](size_t index) const { return values_[index]; }

 private:
  MappedArray(Value* values, size_t size, size_t bytes) : values_(values), size_(size), bytes_(bytes) {}

  Value* values_;
  size_t size_, bytes_;
};

inline void store(nsrp_u64& word, uint64_t value) {
  std::atomic_ref<nsrp_u64>(word).store(value);
}
inline uint64_t load(nsrp_u64& word) {
  return std::atomic_ref<nsrp_u64>(word).load();
}

}  // namespace nsrp::kernel
