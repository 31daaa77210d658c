// SPDX-License-Identifier: Apache-2.0
// What a daemon finds pinned when it starts, and what it leaves.
#include <bpf/bpf.h>
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "namespaces.h"
#include "test_box.h"

using namespace nsrp;
using namespace nsrp::test;
using kernel::Datapath;
using kernel::UniqueFd;
namespace fs = std::filesystem;

namespace {

// A BPF directory that is gone when the test ends, however it ends.
struct BpfDir {
  std::string path = unique_bpf_dir();
  std::string layout = path + "/v" + std::to_string(int{NSRP_ABI_VERSION});

  ~BpfDir() { run("rm -rf " + path); }
  std::unique_ptr<Datapath> open(uint32_t max_sessions = 1024) const {
    auto datapath = Datapath::open({.bpf_dir = path, .max_sessions = max_sessions});
    REQUIRE_MESSAGE(datapath.has_value(), (datapath ? "" : datapath.error().message));
    return std::move(*datapath);
  }
};

std::set<std::string> names_in(const std::string& dir) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir)) names.insert(entry.path().filename().string());
  return names;
}

uint32_t id_of(int map_fd) {
  bpf_map_info info{};
  uint32_t size = sizeof(info);
  REQUIRE(bpf_obj_get_info_by_fd(map_fd, &info, &size) == 0);
  return info.id;
}

}  // namespace

TEST_CASE("maps and programs are pinned by name below the layout's version") {
  const BpfDir dir;
  const auto datapath = dir.open();
  CHECK_FALSE(datapath->adopted());
  CHECK(names_in(dir.path) == std::set<std::string>{"v3"});
  CHECK(names_in(dir.layout) == std::set<std::string>{"addr_table",
                                                      "counters",
                                                      "data_link",
                                                      "defers",
                                                      "fast_config",
                                                      "fast_flows",
                                                      "fast_permit",
                                                      "fast_ports",
                                                      "fragments",
                                                      "held_gates",
                                                      "held_packets",
                                                      "if_config",
                                                      "prog_nsrp_ha_in",
                                                      "prog_nsrp_ha_tc",
                                                      "prog_nsrp_port_in",
                                                      "prog_nsrp_port_out",
                                                      "prog_nsrp_tc_in",
                                                      "prog_nsrp_tc_out",
                                                      "prog_nsrp_traffic_in",
                                                      "quiet_flows",
                                                      "reply_index",
                                                      "session_events",
                                                      "sessions",
                                                      "tx_ports",
                                                      "vlan_devices",
                                                      "vsd_routes",
                                                      "vsd_state",
                                                      "vsi_by_mac",
                                                      "vsi_by_vid",
                                                      "vsi_by_vsd"});
  datapath->remove();
  CHECK_FALSE(fs::exists(dir.path));
}

TEST_CASE("a second run adopts the maps of the first with their contents, leases included") {
  const BpfDir dir;
  uint32_t sessions = 0;
  {
    const auto first = dir.open();
    sessions = id_of(first->sessions_fd());
    first->grant_lease(VsdId{3}, now() + seconds{60}, Duration{}, 42);
  }
  const auto second = dir.open();
  CHECK(second->adopted());
  CHECK(id_of(second->sessions_fd()) == sessions);
  CHECK(second->lease(VsdId{3}).term == 42);
  second->grant_lease(VsdId{3}, now() + seconds{60}, Duration{}, 43);
  CHECK(dir.open()->lease(VsdId{3}).term == 43);
}

TEST_CASE("the places of quiet flows begin anew with each run, and a run without them is adopted all the same") {
  const BpfDir dir;
  const std::string quiet = dir.layout + "/quiet_flows";
  const auto id_of_quiet = [&] { return id_of(UniqueFd(bpf_obj_get(quiet.c_str())).get()); };
  dir.open();
  const uint32_t first = id_of_quiet();
  CHECK(dir.open()->adopted());
  CHECK(id_of_quiet() != first);
  REQUIRE(unlink(quiet.c_str()) == 0);
  CHECK(dir.open()->adopted());
  CHECK(fs::exists(quiet));
}

TEST_CASE("a version that counts other things begins its counters anew, and keeps the rest") {
  const BpfDir dir;
  const std::string counters = dir.layout + "/counters";
  const uint32_t sessions = id_of(dir.open()->sessions_fd());
  const UniqueFd of_another_size(bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "counters", 4, 8, 7, nullptr));
  REQUIRE(unlink(counters.c_str()) == 0);
  REQUIRE(bpf_obj_pin(of_another_size.get(), counters.c_str()) == 0);
  const auto second = dir.open();
  CHECK(second->adopted());
  CHECK(id_of(second->sessions_fd()) == sessions);
  CHECK(id_of(UniqueFd(bpf_obj_get(counters.c_str())).get()) != id_of(of_another_size.get()));
}

TEST_CASE("maps of another size are replaced") {
  const BpfDir dir;
  const uint32_t sessions = id_of(dir.open(1024)->sessions_fd());
  const auto larger = dir.open(2048);
  CHECK_FALSE(larger->adopted());
  CHECK(id_of(larger->sessions_fd()) != sessions);
}

TEST_CASE("what an interrupted run left incomplete is replaced") {
  const BpfDir dir;
  dir.open();
  REQUIRE(unlink((dir.layout + "/vsi_by_vid").c_str()) == 0);
  const auto again = dir.open();
  CHECK_FALSE(again->adopted());
  CHECK(fs::exists(dir.layout + "/vsi_by_vid"));
}

TEST_CASE("pins of other layouts are removed, what is not ours stays") {
  const BpfDir dir;
  run("mkdir -p " + dir.path + "/v0 " + dir.path + "/v27 " + dir.path + "/vault");
  const UniqueFd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "old", 4, 4, 1, nullptr));
  REQUIRE(bpf_obj_pin(map.get(), (dir.path + "/v0/vsd_state").c_str()) == 0);
  const auto datapath = dir.open();
  CHECK_FALSE(datapath->adopted());
  CHECK(names_in(dir.path) == std::set<std::string>{"v3", "vault"});
}

TEST_CASE("a directory that is on no BPF file system is refused with a sentence") {
  const auto datapath = Datapath::open({.bpf_dir = "/tmp/nsrp-bpf-test", .max_sessions = 16});
  REQUIRE_FALSE(datapath.has_value());
  CHECK(datapath.error().message.find("/tmp/nsrp-bpf-test is not on a BPF file system") == 0);
  CHECK_FALSE(fs::exists("/tmp/nsrp-bpf-test"));
}

TEST_CASE("a session table of no entries is refused with a sentence, and nothing stays behind") {
  const BpfDir dir;
  const auto datapath = Datapath::open({.bpf_dir = dir.path, .max_sessions = 0});
  REQUIRE_FALSE(datapath.has_value());
  CHECK(datapath.error().message.find("map 'sessions': failed to create") != std::string::npos);
  CHECK_FALSE(fs::exists(dir.path));
}

TEST_CASE("who is not root is told so") {
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    if (setuid(65534) != 0) _exit(2);
    const auto datapath = Datapath::open({.bpf_dir = unique_bpf_dir(), .max_sessions = 16});
    const std::string said = datapath ? "" : datapath.error().message;
    const ssize_t written = write(pipe_ends[1], said.data(), said.size());
    _exit(written > 0 ? 0 : 1);
  }
  close(pipe_ends[1]);
  char said[256] = {};
  const ssize_t size = read(pipe_ends[0], said, sizeof(said) - 1);
  close(pipe_ends[0]);
  CHECK(waitpid(child, nullptr, 0) == child);
  REQUIRE(size > 0);
  CHECK(std::string(said).find("needs root") != std::string::npos);
}

TEST_CASE("replacing a table keeps what stays and drops what is gone") {
  TestBox box;
  box.become_master();
  const auto asks = [&](std::string_view target) {
    return box
        .traffic_in(
            PacketBuilder().ethernet(kClientMac, kBroadcast).arp_request(kClientMac, "10.1.1.99", target).build())
        .verdict;
  };
  CHECK(asks("10.1.1.1") == XDP_TX);
  REQUIRE(box.datapath()
              .set_addresses(std::vector<kernel::AddressEntry>{{box.traffic(), ip("10.1.1.3"), NSRP_ADDR_VSI, kVid}})
              .has_value());
  CHECK(asks("10.1.1.1") == XDP_PASS);
  CHECK(asks("10.1.1.3") == XDP_TX);
  REQUIRE(box.datapath().set_vsis({}).has_value());
  CHECK(asks("10.1.1.3") == XDP_PASS);
}

TEST_CASE("counters are cleared on request") {
  TestBox box;
  box.ha_in(PacketBuilder().ethernet(kPeerHaMac, kBroadcast).ethertype(NSRP_ETHERTYPE).payload({1, 1}).build());
  CHECK(box.datapath().counters()->at(NSRP_CNT_ha_frames) == 1);
  REQUIRE(box.datapath().clear_counters().has_value());
  CHECK(box.datapath().counters()->at(NSRP_CNT_ha_frames) == 0);
  CHECK(kernel::counter_name(NSRP_CNT_ha_frames) == "ha_frames");
  CHECK(kernel::counter_help(NSRP_CNT_ha_frames) == "NSRP frames seen on HA links");
}
