// SPDX-License-Identifier: Apache-2.0
// The number of session records, reckoned and read.
#include <bpf/bpf.h>
#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "daemon/rto_count.h"
#include "kernel/session_table.h"
#include "kernel/unique_fd.h"

namespace nsrp::daemon {
namespace {

using kernel::SessionEntry;
using kernel::SessionTable;
using kernel::UniqueFd;

nsrp_tuple tuple(uint16_t number, uint8_t proto) {
  nsrp_tuple tuple{};
  tuple.sport = number;
  tuple.proto = proto;
  tuple.family = NSRP_IPV4;
  return tuple;
}

std::vector<SessionEntry> sessions(uint16_t first, uint16_t count) {
  std::vector<SessionEntry> entries;
  for (uint16_t i = first; i < first + count; ++i) {
    SessionEntry entry{tuple(i, 6), {}};
    entry.session.reply = tuple(i, 17);
    entries.push_back(entry);
  }
  return entries;
}

struct Table {
  static constexpr uint32_t kRoom = 10000;
  UniqueFd records{
      bpf_map_create(BPF_MAP_TYPE_HASH, "t_sessions", sizeof(nsrp_tuple), sizeof(nsrp_session), kRoom, nullptr)};
  UniqueFd replies{
      bpf_map_create(BPF_MAP_TYPE_HASH, "t_replies", sizeof(nsrp_tuple), sizeof(nsrp_tuple), kRoom, nullptr)};
  UniqueFd events{bpf_map_create(BPF_MAP_TYPE_RINGBUF, "t_events", 0, 0, 1 << 16, nullptr)};
  std::unique_ptr<SessionTable> table =
      std::move(*SessionTable::open(SessionTable::Maps{records.get(), replies.get(), events.get()}));

  void put(uint16_t first, uint16_t count) { REQUIRE(table->put(sessions(first, count)).value() == count); }
  void remove(uint16_t first, uint16_t count) {
    std::vector<nsrp_tuple> keys;
    for (const SessionEntry& entry : sessions(first, count)) keys.push_back(entry.key);
    REQUIRE(table->remove(keys));
  }
  // As a packet does: nobody in user space knows.
  void packet_makes(uint16_t number) const {
    const SessionEntry made = sessions(number, 1).front();
    REQUIRE(bpf_map_update_elem(records.get(), &made.key, &made.session, BPF_ANY) == 0);
  }
};

// Enough steps to read this table to its end, and through once more.
void read_all(SessionCount& count, uint64_t created) {
  for (int i = 0; i < 20; ++i) REQUIRE(count.read_some(created));
}

}  // namespace

TEST_CASE("sessions that come and go are counted at once, without reading the table") {
  Table world;
  world.put(1, 100);
  SessionCount count(*world.table);
  REQUIRE(count.begin(7));
  CHECK(count.value(7) == 100);
  world.put(51, 100);  // half of them are there already
  CHECK(count.value(7) == 150);
  world.remove(101, 100);  // half of them are not there
  CHECK(count.value(7) == 100);
  world.packet_makes(3000);
  CHECK(count.value(8) == 101);
}

TEST_CASE("reading the table puts a wrong count right") {
  Table world;
  SessionCount count(*world.table);
  REQUIRE(count.begin(0));
  world.put(1, 5000);
  world.packet_makes(6000);  // and the counter does not say so
  CHECK(count.value(0) == 5000);
  read_all(count, 0);
  CHECK(count.value(0) == 5001);
  CHECK(count.value(9) == 5010);
  read_all(count, 9);  // nine flows that took the place of others
  CHECK(count.value(9) == 5001);
}

TEST_CASE("a count goes on when the operator clears the counters") {
  Table world;
  world.put(1, 10);
  SessionCount count(*world.table);
  REQUIRE(count.begin(1000));
  world.packet_makes(20);
  CHECK(count.value(1) == 11);
}

TEST_CASE("while many sessions come, what was read meanwhile does not count") {
  Table world;
  world.put(1, 5000);
  SessionCount count(*world.table);
  REQUIRE(count.begin(0));
  REQUIRE(count.read_some(0));
  world.remove(1, 1000);  // some of them had been read
  for (int i = 0; i < 5; ++i) REQUIRE(count.read_some(0));
  CHECK(count.value(0) == 4000);
}

}  // namespace nsrp::daemon
