// SPDX-License-Identifier: Apache-2.0
// A daemon that finds the maps of an earlier layout: what they hold goes on under the new one. The structs are written
// out as they were in version 1.
#include <bpf/bpf.h>
#include <doctest/doctest.h>
#include <linux/bpf.h>

#include <cstring>
#include <filesystem>

#include "kernel/earlier_layouts.h"
#include "kernel/session_table.h"
#include "namespaces.h"
#include "test_box.h"

using namespace nsrp;
using namespace nsrp::test;
using kernel::Datapath;
using kernel::UniqueFd;
namespace fs = std::filesystem;

namespace {

struct VsdState1 {
  uint64_t master_until_ns, alone_grace_ns, peer_seen_ns, term;
};
struct DataLink1 {
  uint32_t ifindex;
  uint8_t own_mac[6], peer_mac[6], cluster_id, data_forwarding, pad[6];
};
struct Tuple1 {
  uint8_t saddr[16], daddr[16];
  uint16_t sport, dport;
  uint8_t proto, family;
  uint16_t zone;
};
struct Session1 {
  Tuple1 reply;
  uint64_t created_ns, last_seen_ns, exported_ns;
  uint32_t generation, ct_status, ct_mark, timeout_s;
  uint8_t tcp_state, vsd;
  uint16_t flags;
  uint32_t pad;
};
static_assert(sizeof(VsdState1) == 32 && sizeof(DataLink1) == 24 && sizeof(Tuple1) == 40 && sizeof(Session1) == 88);

// What a daemon of an earlier version left pinned.
struct EarlierRun {
  std::string path = unique_bpf_dir();
  std::string layout;
  UniqueFd vsd_state, data_link, sessions, reply_index;

  explicit EarlierRun(unsigned version, uint32_t max_sessions = 4096) : layout(path + "/v" + std::to_string(version)) {
    run("mkdir -p " + layout);
    bpf_map_create_opts mappable{};
    mappable.sz = sizeof(mappable);
    mappable.map_flags = BPF_F_MMAPABLE;
    vsd_state = make(BPF_MAP_TYPE_ARRAY, "vsd_state", 4, sizeof(VsdState1), 64, &mappable);
    data_link = make(BPF_MAP_TYPE_ARRAY, "data_link", 4, sizeof(DataLink1), 1, nullptr);
    sessions = make(BPF_MAP_TYPE_HASH, "sessions", sizeof(Tuple1), sizeof(Session1), max_sessions, nullptr);
    reply_index = make(BPF_MAP_TYPE_HASH, "reply_index", sizeof(Tuple1), sizeof(Tuple1), max_sessions, nullptr);
  }
  ~EarlierRun() { run("rm -rf " + path); }

  UniqueFd make(bpf_map_type type, const char* name, uint32_t key, uint32_t value, uint32_t entries,
                const bpf_map_create_opts* options) const {
    UniqueFd map(bpf_map_create(type, name, key, value, entries, options));
    REQUIRE(map.valid());
    REQUIRE(bpf_obj_pin(map.get(), (layout + "/" + name).c_str()) == 0);
    return map;
  }

  static Tuple1 key(uint16_t port) {
    Tuple1 tuple{};
    tuple.saddr[0] = 10;
    tuple.daddr[0] = 20;
    tuple.sport = port;
    tuple.proto = 6;
    tuple.family = 4;
    return tuple;
  }
  static Tuple1 reply_key(uint16_t port) {
    Tuple1 tuple = key(port);
    std::swap(tuple.saddr, tuple.daddr);
    std::swap(tuple.sport, tuple.dport);
    return tuple;
  }
  void add_session(uint16_t port) const {
    Session1 session{};
    session.reply = reply_key(port);
    session.created_ns = 1000u + port;
    session.last_seen_ns = 5;
    session.generation = 7;
    session.timeout_s = 432000;
    session.tcp_state = 3;
    session.vsd = 1;
    session.flags = 4;
    const Tuple1 from = key(port);
    REQUIRE(bpf_map_update_elem(sessions.get(), &from, &session, BPF_ANY) == 0);
    REQUIRE(bpf_map_update_elem(reply_index.get(), &session.reply, &from, BPF_ANY) == 0);
  }
  void master(uint32_t vsd, Instant until, uint64_t term) const {
    const VsdState1 state{to_ns(until), 0, 0, term};
    REQUIRE(bpf_map_update_elem(vsd_state.get(), &vsd, &state, BPF_ANY) == 0);
  }
  std::unique_ptr<Datapath> upgrade(uint32_t max_sessions = 4096) const {
    auto datapath = Datapath::open({.bpf_dir = path, .max_sessions = max_sessions});
    REQUIRE_MESSAGE(datapath.has_value(), (datapath ? "" : datapath.error().message));
    return std::move(*datapath);
  }
};

nsrp_tuple today(const Tuple1& tuple) {
  nsrp_tuple same{};
  static_assert(sizeof(same) == sizeof(tuple));
  std::memcpy(&same, &tuple, sizeof(same));
  return same;
}

std::optional<nsrp_session> session_of(const Datapath& datapath, uint16_t port) {
  const nsrp_tuple key = today(EarlierRun::key(port));
  nsrp_session session{};
  if (bpf_map_lookup_elem(datapath.sessions_fd(), &key, &session) != 0) return std::nullopt;
  return session;
}

}  // namespace

TEST_CASE("leases and sessions of every earlier layout are taken over") {
  for (const kernel::EarlierLayout& layout : kernel::earlier_layouts()) {
    CAPTURE(layout.version);
    const EarlierRun before(layout.version);
    const Instant until = now() + seconds{60};
    before.master(5, until, 41);
    for (uint16_t port = 1; port <= 3000; ++port) before.add_session(port);
    const auto datapath = before.upgrade();
    CHECK(datapath->adopted());
    CHECK(datapath->upgraded_from() == layout.version);
    CHECK(datapath->lease(VsdId{5}).until == until);
    CHECK(datapath->lease(VsdId{5}).term == 41);
    CHECK(datapath->lease(VsdId{4}).until == Instant{});
    for (uint16_t port = 1; port <= 3000; ++port) {
      const auto session = session_of(*datapath, port);
      REQUIRE(session);
      CHECK(session->created_ns == 1000u + port);
      CHECK(session->generation == 7);
      CHECK(session->timeout_s == 432000);
      CHECK(session->tcp_state == 3);
      CHECK(session->vsd == 1);
      CHECK(session->flags == 4);
      nsrp_tuple original{};
      REQUIRE(bpf_map_lookup_elem(datapath->reply_index_fd(), &session->reply, &original) == 0);
      const nsrp_tuple key = today(EarlierRun::key(port));
      CHECK(std::memcmp(&original, &key, sizeof(key)) == 0);
    }
  }
}

TEST_CASE("what comes while the earlier programs still work is taken over, too, and then their pins go") {
  const EarlierRun before(1);
  before.add_session(1);
  const auto datapath = before.upgrade();
  nsrp_session newer = *session_of(*datapath, 1);
  newer.generation = 8;
  const nsrp_tuple key = today(EarlierRun::key(1));
  REQUIRE(bpf_map_update_elem(datapath->sessions_fd(), &key, &newer, BPF_ANY) == 0);
  before.add_session(2);
  CHECK(fs::exists(before.layout));
  CHECK(datapath->finish_upgrade() == size_t{0});
  CHECK(session_of(*datapath, 1)->generation == 8);
  CHECK(session_of(*datapath, 2));
  CHECK_FALSE(fs::exists(before.layout));
  CHECK_FALSE(datapath->upgraded_from());
}

TEST_CASE("the data link of the earlier run serves on") {
  const EarlierRun before(1);
  const uint32_t zero = 0;
  const DataLink1 link{1, {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, 3, 1, {}};
  REQUIRE(bpf_map_update_elem(before.data_link.get(), &zero, &link, BPF_ANY) == 0);
  const auto datapath = before.upgrade();
  const UniqueFd ours(bpf_obj_get((before.path + "/v" + std::to_string(int{NSRP_ABI_VERSION}) + "/data_link").c_str()));
  nsrp_data_link now_there{};
  REQUIRE(bpf_map_lookup_elem(ours.get(), &zero, &now_there) == 0);
  CHECK(now_there.ifindex == 1);
  CHECK(now_there.peer_mac[5] == 2);
  CHECK(now_there.cluster_id == 3);
}

TEST_CASE("a smaller session table takes what it can, and says how much it could not") {
  const EarlierRun before(2);
  for (uint16_t port = 1; port <= 3000; ++port) before.add_session(port);
  const auto datapath = before.upgrade(1024);
  const auto left_out = datapath->finish_upgrade();
  REQUIRE(left_out.has_value());
  CHECK(*left_out > 0);
}

TEST_CASE("maps of sizes the earlier layout did not have are not touched") {
  const EarlierRun before(1);
  REQUIRE(unlink((before.layout + "/sessions").c_str()) == 0);
  const UniqueFd other(bpf_map_create(BPF_MAP_TYPE_HASH, "sessions", 40, 96, 16, nullptr));
  REQUIRE(bpf_obj_pin(other.get(), (before.layout + "/sessions").c_str()) == 0);
  before.master(0, now() + seconds{60}, 9);
  const auto datapath = before.upgrade();
  CHECK(datapath->lease(VsdId{0}).term == 9);
  CHECK(datapath->finish_upgrade() == size_t{0});
}

TEST_CASE("a complete set of today's layout goes before an earlier one") {
  const EarlierRun before(1);
  before.upgrade()->grant_lease(VsdId{0}, now() + seconds{60}, Duration{}, 2);
  before.master(0, now() + seconds{60}, 1);
  const auto datapath = before.upgrade();
  CHECK(datapath->lease(VsdId{0}).term == 2);
  CHECK_FALSE(datapath->upgraded_from());
  CHECK_FALSE(fs::exists(before.layout));
}
