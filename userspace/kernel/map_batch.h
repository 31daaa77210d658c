// SPDX-License-Identifier: Apache-2.0
// BPF map operations on many elements at once. The kernel's batch calls stop at the first element that fails; these go
// on behind it where the failure concerns that element alone. Errors are errno values.
#pragma once

#include <bpf/bpf.h>

#include <cerrno>
#include <cstdint>
#include <span>
#include <tl/expected.hpp>
#include <vector>

namespace nsrp::kernel::map_batch {

// `call(first, count)` is one batch call on the elements from `first`, which sets *count to how many it did.
// `tolerated(error)` says that the element it stopped at may be left out. Returns which elements were done.
template <class Call, class Tolerated>
tl::expected<std::vector<bool>, int> run(size_t total, const Call& call, const Tolerated& tolerated) {
  std::vector<bool> done(total, false);
  for (size_t first = 0; first < total;) {
    auto count = static_cast<uint32_t>(total - first);
    const int result = call(first, &count);
    const int error = result == 0 ? 0 : errno;
    if (error != 0 && count == total - first) count = 0;  // it failed before it began
    for (size_t i = 0; i < count; ++i) done[first + i] = true;
    first += count;
    // EBUSY: a program on this CPU held the bucket's lock; it is free again.
    if (error == 0 || error == EBUSY || error == EINTR || error == EAGAIN) continue;
    if (!tolerated(error)) return tl::unexpected(error);
    ++first;
  }
  return done;
}

// Elements that found no room are left out.
template <class Key, class Value>
tl::expected<std::vector<bool>, int> update(int map, std::span<Key> keys, std::span<Value> values) {
  return run(
      keys.size(),
      [&](size_t first, uint32_t* count) {
        return bpf_map_update_batch(map, keys.data() + first, values.data() + first, count, nullptr);
      },
      [](int error) { return error == E2BIG || error == ENOMEM; });
}

// Elements that are not there are left out.
template <class Key>
tl::expected<std::vector<bool>, int> remove(int map, std::span<Key> keys) {
  return run(
      keys.size(),
      [&](size_t first, uint32_t* count) { return bpf_map_delete_batch(map, keys.data() + first, count, nullptr); },
      [](int error) { return error == ENOENT; });
}

// Keeps the elements that are marked.
template <class T>
void keep(std::vector<T>& elements, const std::vector<bool>& marked) {
  size_t kept = 0;
  for (size_t i = 0; i < elements.size(); ++i)
    if (marked[i]) elements[kept++] = elements[i];
  elements.resize(kept);
}

}  // namespace nsrp::kernel::map_batch
