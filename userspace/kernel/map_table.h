// SPDX-License-Identifier: Apache-2.0
// Making a BPF hash hold exactly what is given, while programs read it.
#pragma once

#include <bpf/bpf.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/libbpf_log.h"

namespace nsrp::kernel {

template <class Key, class Value>
struct TableEntry {
  Key key;
  Value value;
};

template <class Key>
bool key_less(const Key& a, const Key& b) {
  return std::memcmp(&a, &b, sizeof(Key)) < 0;
}

template <class Key, class Value>
std::vector<Key> keys_to_drop(int fd, const std::vector<TableEntry<Key, Value>>& wanted) {
  std::vector<Key> staying;
  for (const auto& entry : wanted) staying.push_back(entry.key);
  std::sort(staying.begin(), staying.end(), key_less<Key>);
  std::vector<Key> doomed;
  Key key{};
  for (const Key* previous = nullptr; bpf_map_get_next_key(fd, previous, &key) == 0; previous = &key) {
    if (!std::binary_search(staying.begin(), staying.end(), key, key_less<Key>)) doomed.push_back(key);
  }
  return doomed;
}

// Updates first and deletes afterwards, so that an entry that stays is there all the time. `what` names the entries
// in an error: "virtual interfaces".
template <class Key, class Value>
Status replace_table(int fd, const std::vector<TableEntry<Key, Value>>& wanted, const std::string& what) {
  for (const auto& entry : wanted) {
    if (const int err = bpf_map_update_elem(fd, &entry.key, &entry.value, BPF_ANY); err != 0)
      return fail("the data path cannot hold " + std::to_string(wanted.size()) + " " + what + ": " + errno_text(err));
  }
  for (const Key& key : keys_to_drop(fd, wanted)) (void)bpf_map_delete_elem(fd, &key);
  return {};
}

}  // namespace nsrp::kernel
