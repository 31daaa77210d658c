// SPDX-License-Identifier: Apache-2.0
#include "kernel/session_table.h"

#include <bpf/bpf.h>
#include <doctest/doctest.h>
#include <linux/bpf.h>
#include <poll.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "namespaces.h"

using namespace nsrp;
using namespace nsrp::kernel;
using namespace nsrp::test;

namespace {

nsrp_tuple tuple(uint32_t number, uint8_t proto = 6) {
  nsrp_tuple result{};
  std::memcpy(result.saddr, &number, sizeof number);
  result.proto = proto;
  result.family = NSRP_IPV4;
  return result;
}

SessionEntry entry(uint32_t number, uint16_t flags = 0) {
  SessionEntry result{};
  result.key = tuple(number);
  result.session.reply = tuple(number, 17);
  result.session.generation = number;
  result.session.flags = flags;
  return result;
}

bool same(const nsrp_tuple& a, const nsrp_tuple& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

struct World {
  UniqueFd sessions, replies, events, fast;
  std::unique_ptr<SessionTable> table;

  explicit World(uint32_t room = 100000) {
    sessions = UniqueFd(
        bpf_map_create(BPF_MAP_TYPE_HASH, "t_sessions", sizeof(nsrp_tuple), sizeof(nsrp_session), room, nullptr));
    replies =
        UniqueFd(bpf_map_create(BPF_MAP_TYPE_HASH, "t_replies", sizeof(nsrp_tuple), sizeof(nsrp_tuple), room, nullptr));
    events = UniqueFd(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "t_events", 0, 0, 1 << 16, nullptr));
    fast = UniqueFd(
        bpf_map_create(BPF_MAP_TYPE_HASH, "t_fast", sizeof(nsrp_tuple), sizeof(nsrp_fast_flow), room, nullptr));
    auto opened = SessionTable::open(SessionTable::Maps{sessions.get(), replies.get(), events.get(), fast.get()});
    REQUIRE_MESSAGE(opened, opened.error().message);
    table = std::move(*opened);
  }
  size_t put(const std::vector<SessionEntry>& entries) {
    const auto stored = table->put(entries);
    REQUIRE_MESSAGE(stored, stored.error().message);
    return *stored;
  }
  size_t count() const {
    const auto count = table->count();
    REQUIRE(count);
    return *count;
  }
  void go_fast(const SessionEntry& entry) const {
    const nsrp_fast_flow flow{};
    for (const nsrp_tuple* direction : {&entry.key, &entry.session.reply})
      REQUIRE(bpf_map_update_elem(fast.get(), direction, &flow, BPF_ANY) == 0);
  }
  // How many directions of it go fast.
  int goes_fast(const SessionEntry& entry) const {
    nsrp_fast_flow flow;
    return (bpf_map_lookup_elem(fast.get(), &entry.key, &flow) == 0 ? 1 : 0) +
           (bpf_map_lookup_elem(fast.get(), &entry.session.reply, &flow) == 0 ? 1 : 0);
  }
  std::optional<nsrp_session> session(const nsrp_tuple& key) const {
    nsrp_session value;
    if (bpf_map_lookup_elem(sessions.get(), &key, &value) != 0) return std::nullopt;
    return value;
  }
  std::optional<nsrp_tuple> owner(const nsrp_tuple& reply) const {
    nsrp_tuple key;
    if (bpf_map_lookup_elem(replies.get(), &reply, &key) != 0) return std::nullopt;
    return key;
  }
};

std::vector<SessionEntry> many(uint32_t count) {
  std::vector<SessionEntry> entries;
  for (uint32_t i = 0; i < count; ++i) entries.push_back(entry(i));
  return entries;
}

// A program that puts the packet it gets into a ring buffer: user space cannot produce into one by itself.
UniqueFd producer(int ring) {
  const auto insn = [](int code, int dst, int src, int16_t off, int32_t imm) {
    bpf_insn result{};
    result.code = static_cast<uint8_t>(code);
    result.dst_reg = static_cast<uint8_t>(dst & 15);
    result.src_reg = static_cast<uint8_t>(src & 15);
    result.off = off;
    result.imm = imm;
    return result;
  };
  constexpr int kSize = sizeof(SessionEntry);
  const bpf_insn program[] = {
      // bpf_skb_load_bytes(skb, 0, stack, kSize)
      insn(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 0),
      insn(BPF_ALU64 | BPF_MOV | BPF_X, 3, 10, 0, 0),
      insn(BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, -kSize),
      insn(BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, kSize),
      insn(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_load_bytes),
      insn(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 7, 0),
      // bpf_ringbuf_output(ring, stack, kSize, 0)
      insn(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, ring),
      insn(0, 0, 0, 0, 0),
      insn(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
      insn(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -kSize),
      insn(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, kSize),
      insn(BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, 0),
      insn(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ringbuf_output),
      insn(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
      insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
  };
  UniqueFd fd(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "t_producer", "GPL", program, std::size(program), nullptr));
  REQUIRE(fd.valid());
  return fd;
}

void produce(const UniqueFd& program, const SessionEntry& event) {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = &event;
  options.data_size_in = sizeof event;
  REQUIRE(bpf_prog_test_run_opts(program.get(), &options) == 0);
}

}  // namespace

TEST_CASE("records that were put are found by both tuples") {
  World world;
  const auto entries = many(20000);
  CHECK(world.put(entries) == entries.size());
  CHECK(world.count() == entries.size());
  std::map<uint32_t, int> seen;
  REQUIRE(world.table->for_each([&](std::span<const SessionEntry> batch) {
    for (const SessionEntry& entry : batch) {
      ++seen[entry.session.generation];
      CHECK(same(entry.key, tuple(entry.session.generation)));
    }
  }));
  CHECK(seen.size() == entries.size());
  CHECK(std::all_of(seen.begin(), seen.end(), [](const auto& count) { return count.second == 1; }));
  REQUIRE(world.owner(tuple(4711, 17)));
  CHECK(same(*world.owner(tuple(4711, 17)), tuple(4711)));
}

TEST_CASE("a table that changes while it is read in steps shows every record that stays, once") {
  World world;
  world.put(many(5000));
  std::map<uint32_t, int> seen;
  SessionTable::Cursor cursor;
  std::vector<SessionEntry> step;
  for (uint32_t steps = 0; !cursor.at_end(); ++steps) {
    REQUIRE(steps < 1000);
    REQUIRE(world.table->read(cursor, 100, step));
    CHECK(step.size() <= 200);  // a step is of about the size that was asked for
    for (const SessionEntry& entry : step) ++seen[entry.session.generation];
    // Meanwhile some change, some come and some go.
    world.put({entry(steps * 7), entry(10000 + steps)});
    CHECK(world.table->remove(std::vector<nsrp_tuple>{tuple(4000 + steps)}));
  }
  for (uint32_t number = 0; number < 4000; ++number) CHECK(seen[number] == 1);
  CHECK(world.table->capacity() == 100000);
}

TEST_CASE("an empty table has no records") {
  World world;
  CHECK(world.count() == 0);
  CHECK(world.table->take_dirty().value().empty());
  CHECK(world.put({}) == 0);
  CHECK(world.table->remove({}));
}

TEST_CASE("a record that is put again is replaced, and its old reply tuple leads nowhere") {
  World world;
  world.put({entry(1), entry(2)});
  SessionEntry changed = entry(1, NSRP_SESSION_FROM_PEER);
  changed.session.reply = tuple(99, 17);
  changed.session.generation = 7;
  CHECK(world.put({changed}) == 1);
  CHECK(world.count() == 2);
  CHECK(world.session(tuple(1))->generation == 7);
  CHECK(world.session(tuple(1))->flags == NSRP_SESSION_FROM_PEER);
  CHECK_FALSE(world.owner(tuple(1, 17)));
  CHECK(same(*world.owner(tuple(99, 17)), tuple(1)));
}

TEST_CASE("removing a record leaves a reply tuple alone that another took over") {
  World world;
  world.put({entry(1), entry(2), entry(3)});
  SessionEntry heir = entry(4);
  heir.session.reply = tuple(1, 17);
  world.put({heir});
  const std::vector<nsrp_tuple> keys = {tuple(1), tuple(2), tuple(1000)};  // the last was never there
  CHECK(world.table->remove(keys));
  CHECK(world.count() == 2);
  CHECK_FALSE(world.owner(tuple(2, 17)));
  CHECK(same(*world.owner(tuple(1, 17)), tuple(4)));
  CHECK(same(*world.owner(tuple(3, 17)), tuple(3)));
}

TEST_CASE("a fast session that ends or is replaced goes fast no more; others do") {
  World world;
  const SessionEntry ended = entry(1, NSRP_SESSION_FAST), replaced = entry(2, NSRP_SESSION_FAST),
                     other = entry(3, NSRP_SESSION_FAST);
  world.put({ended, replaced, other});
  for (const SessionEntry& each : {ended, replaced, other}) world.go_fast(each);
  const std::vector<nsrp_tuple> keys{ended.key};
  REQUIRE(world.table->remove(keys));
  SessionEntry successor = replaced;
  successor.session.reply = tuple(9, 17);
  world.put({successor});
  CHECK(world.goes_fast(ended) == 0);
  CHECK(world.goes_fast(replaced) == 0);
  CHECK(world.goes_fast(other) == 2);
}

TEST_CASE("a full table stores what fits, still updates what it has, and keeps its index in step") {
  World world(64);
  CHECK(world.put(many(1000)) == 64);
  CHECK(world.count() == 64);
  std::vector<SessionEntry> present;
  REQUIRE(
      world.table->for_each([&](std::span<const SessionEntry> batch) { present.assign(batch.begin(), batch.end()); }));
  for (SessionEntry& entry : present) {
    CHECK(world.owner(entry.session.reply));
    entry.session.ct_mark = 5;
  }
  std::vector<SessionEntry> mixed = {entry(5000), entry(5001)};
  mixed.insert(mixed.end(), present.begin(), present.end());
  CHECK(world.put(mixed) == 64);
  CHECK(world.session(present[10].key)->ct_mark == 5);
  CHECK_FALSE(world.owner(tuple(5000, 17)));
}

TEST_CASE("dirty records are taken once, and stay in the table") {
  World world;
  auto entries = many(5000);
  for (size_t i = 0; i < entries.size(); i += 10) entries[i].session.flags = NSRP_SESSION_DIRTY | NSRP_SESSION_SETTLED;
  world.put(entries);
  const auto taken = world.table->take_dirty();
  REQUIRE(taken);
  CHECK(taken->size() == 500);
  for (const SessionEntry& entry : *taken) CHECK(entry.session.generation % 10 == 0);
  CHECK(world.session(tuple(10))->flags == NSRP_SESSION_SETTLED);
  CHECK(world.table->take_dirty().value().empty());
  CHECK(world.count() == 5000);
}

TEST_CASE("changes come through the ring, and its descriptor says when") {
  World world;
  pollfd waiting{world.table->events_fd(), POLLIN, 0};
  CHECK(::poll(&waiting, 1, 0) == 0);
  const UniqueFd program = producer(world.events.get());
  produce(program, entry(1));
  produce(program, entry(2));
  REQUIRE(::poll(&waiting, 1, 10000) == 1);
  std::vector<SessionEntry> events;
  CHECK(world.table->consume_events([&](const SessionEntry& event) { events.push_back(event); }) == 2);
  REQUIRE(events.size() == 2);
  CHECK(same(events[0].key, tuple(1)));
  CHECK(events[1].session.generation == 2);
  CHECK(world.table->consume_events([](const SessionEntry&) {}) == 0);
}

TEST_CASE("maps of another layout are refused") {
  World world;
  const UniqueFd other(bpf_map_create(BPF_MAP_TYPE_HASH, "t_other", sizeof(nsrp_tuple), 8, 16, nullptr));
  const auto opened = SessionTable::open(SessionTable::Maps{other.get(), world.replies.get(), world.events.get()});
  REQUIRE_FALSE(opened);
  CHECK(opened.error().message.find("layout") != std::string::npos);
}
