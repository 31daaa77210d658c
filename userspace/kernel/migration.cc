// SPDX-License-Identifier: Apache-2.0
#include "kernel/migration.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernel/libbpf_log.h"
#include "kernel/map_batch.h"
#include "nsrp/abi/nsrp_abi.h"

namespace nsrp::kernel {
namespace {

constexpr uint32_t kBatch = 4096;

std::optional<bpf_map_info> info_of(int fd) {
  bpf_map_info info{};
  uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) return std::nullopt;
  return info;
}

struct Entries {
  std::vector<uint8_t> keys, values;
  size_t count = 0;
};

// Reads a map batch by batch.
template <class Visit>
Status for_each_batch(int fd, const EarlierMap& map, const Visit& visit) {
  Entries entries{std::vector<uint8_t>(kBatch * map.key_bytes), std::vector<uint8_t>(kBatch * map.value_bytes)};
  uint32_t place = 0;
  for (bool first = true;; first = false) {
    uint32_t count = kBatch, next = 0;
    const int result = bpf_map_lookup_batch(fd, first ? nullptr : &place, &next, entries.keys.data(),
                                            entries.values.data(), &count, nullptr);
    const int error = result == 0 ? 0 : errno;
    if (error != 0 && error != ENOENT)
      return fail("the earlier map " + std::string(map.name) + " cannot be read: " + errno_text(error));
    entries.count = count;
    visit(entries);
    if (error == ENOENT) return {};
    place = next;
  }
}

std::vector<uint8_t> converted(const EarlierMap& map, const Entries& entries, size_t value_bytes) {
  std::vector<uint8_t> ours(entries.count * value_bytes);
  for (size_t i = 0; i < entries.count; ++i) {
    for (const FieldMove& move : map.moves) {
      std::memcpy(&ours[i * value_bytes + move.to], &entries.values[i * map.value_bytes + move.from], move.bytes);
    }
  }
  return ours;
}

bool no_room(int error) {
  return error == E2BIG || error == ENOMEM;
}

Result<size_t> copy_map(const EarlierMap& map, int from, int to) {
  const std::optional<bpf_map_info> ours = info_of(to);
  if (!ours || ours->key_size != map.key_bytes) return fail("no map takes what " + std::string(map.name) + " holds");
  size_t left_out = 0;
  std::optional<Error> failed;
  const Status read = for_each_batch(from, map, [&](Entries& entries) {
    std::vector<uint8_t> values = converted(map, entries, ours->value_size);
    const auto done = map_batch::run(
        entries.count,
        [&](size_t first, uint32_t* count) {
          return bpf_map_update_batch(to, &entries.keys[first * map.key_bytes], &values[first * ours->value_size],
                                      count, nullptr);
        },
        no_room);
    if (!done) {
      failed = Error{"the map " + std::string(map.name) + " cannot be filled: " + errno_text(done.error())};
    } else {
      left_out += static_cast<size_t>(std::count(done->begin(), done->end(), false));
    }
  });
  if (!read) return fail(read.error());
  if (failed) return fail(*failed);
  return left_out;
}

// One by one, for a batch cannot spare what is there.
Result<size_t> copy_missing(const EarlierMap& map, int from, int to) {
  const std::optional<bpf_map_info> ours = info_of(to);
  if (!ours) return fail("no map takes what " + std::string(map.name) + " holds");
  size_t left_out = 0;
  const Status read = for_each_batch(from, map, [&](const Entries& entries) {
    const std::vector<uint8_t> values = converted(map, entries, ours->value_size);
    for (size_t i = 0; i < entries.count; ++i) {
      const int result =
          bpf_map_update_elem(to, &entries.keys[i * map.key_bytes], &values[i * ours->value_size], BPF_NOEXIST);
      if (result != 0 && errno != EEXIST) ++left_out;
    }
  });
  if (!read) return fail(read.error());
  return left_out;
}

// The port of the data link stands in a map of its own.
Status open_data_link_port(const Migration::MapFd& ours) {
  const uint32_t key = 0;
  nsrp_data_link link{};
  if (bpf_map_lookup_elem(ours("data_link"), &key, &link) != 0 || link.ifindex == 0) return {};
  if (const int err = bpf_map_update_elem(ours("tx_ports"), &key, &link.ifindex, BPF_ANY); err != 0)
    return fail("the data link of the earlier run cannot be used: " + errno_text(err));
  return {};
}

}  // namespace

std::optional<Migration> Migration::find(const Pins& pins) {
  for (const EarlierLayout& layout : earlier_layouts()) {
    Migration found(layout);
    for (const EarlierMap& map : layout.maps) {
      UniqueFd fd = pins.open_earlier_map(layout.version, std::string(map.name));
      const std::optional<bpf_map_info> info = fd.valid() ? info_of(fd.get()) : std::nullopt;
      if (info && info->key_size == map.key_bytes && info->value_size == map.value_bytes)
        found.maps_.emplace(map.name, std::move(fd));
    }
    if (!found.maps_.empty()) return found;
  }
  return std::nullopt;
}

Result<size_t> Migration::copy_all(const MapFd& ours) const {
  size_t left_out = 0;
  for (const EarlierMap& map : layout_->maps) {
    const auto from = maps_.find(map.name);
    if (from == maps_.end()) continue;
    const Result<size_t> copied = copy_map(map, from->second.get(), ours(std::string(map.name)));
    if (!copied) return copied;
    left_out += *copied;
  }
  if (Status opened = open_data_link_port(ours); !opened) return fail(opened.error());
  return left_out;
}

Result<size_t> Migration::copy_new_sessions(const MapFd& ours) const {
  size_t left_out = 0;
  for (const EarlierMap& map : layout_->maps) {
    const auto from = maps_.find(map.name);
    if (from == maps_.end() || (map.name != "sessions" && map.name != "reply_index")) continue;
    const Result<size_t> copied = copy_missing(map, from->second.get(), ours(std::string(map.name)));
    if (!copied) return copied;
    left_out += *copied;
  }
  return left_out;
}

}  // namespace nsrp::kernel
