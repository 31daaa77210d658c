// SPDX-License-Identifier: Apache-2.0
// golden_recordings DIR: plays the stories of the golden cases in a World and writes what one member of each was told
// and answered into DIR/NAME/case.jsonl.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "sim/world.h"

namespace nsrp::sim {

namespace {

using namespace core;

MemberSettings device(uint8_t number, uint8_t priority, bool preempt = false, seconds hold_down = seconds(0)) {
  return {.unit = UnitId{0x020000000000 + static_cast<uint64_t>(number)},
          .hb_interval = milliseconds(200),
          .vsds = {{.id = VsdId{0}, .priority = priority, .preempt = preempt, .hold_down = hold_down}}};
}

void start_all(World& world) {
  for (NodeId id = 0; id < world.size(); ++id) world.start(id);
  world.run_for(seconds(3));
}

void cut_both_ways(World& world) {
  world.cut_all(0, 1);
  world.cut_all(1, 0);
}

struct Story {
  const char* name;
  const char* description;
  NodeId who;  // is recorded
  std::vector<MemberSettings> members;
  void (*tell)(World&);
};

const std::vector<Story>& stories() {
  static const std::vector<Story> all{
      {"boot_of_a_pair",
       "Two devices start together (manual ch. 1, VSD Group Member States): the one with the lower priority number "
       "leaves the initial state as master, takes its lease and announces; the other one becomes primary backup. Seen "
       "by "
       "the master.",
       0,
       {device(1, 50), device(2, 100)},
       [](World& world) { start_all(world); }},
      {"planned_handover",
       "exec nsrp vsd-group id 0 mode backup on the master: barrier, release, the successor named; then it is primary "
       "backup. Seen by the old master.",
       0,
       {device(1, 50), device(2, 100)},
       [](World& world) {
         start_all(world);
         (void)world.command(0, VsdId{0}, ModeCommand::kBackup);
         world.run_for(seconds(2));
       }},
      {"master_dies",
       "The master falls silent; after hb-threshold times hb-interval the primary backup takes over with the next term "
       "and announces (manual ch. 3, Device Failover). Seen by the primary backup.",
       1,
       {device(1, 50), device(2, 100)},
       [](World& world) {
         start_all(world);
         world.power_off(0);
         world.run_for(seconds(2));
       }},
      {"preempt_with_hold_down",
       "A device with preempt, the lower number and 1 s of hold-down starts beside a master: primary backup first, "
       "after "
       "the hold-down it asks, is handed the VSD and announces (manual ch. 1, Preempt Option). Seen by the one that "
       "preempts.",
       1,
       {device(1, 100), device(2, 50, true, seconds(1))},
       [](World& world) {
         world.start(0);
         world.run_for(seconds(3));
         world.start(1);
         world.run_for(seconds(4));
       }},
      {"one_way_cut",
       "The backup does not hear the master any more, while the master hears it: told that it is missed the master "
       "lets "
       "its lease run out before the backup takes over. Seen by the master.",
       0,
       {device(1, 50), device(2, 100)},
       [](World& world) {
         start_all(world);
         world.cut_all(0, 1);
         world.run_for(seconds(3));
       }},
      {"two_masters_meet",
       "Every path was cut and both are masters; when it heals the one with the higher term stays, and announces "
       "again. "
       "Seen by the one that stays.",
       1,
       {device(1, 50), device(2, 100)},
       [](World& world) {
         start_all(world);
         cut_both_ways(world);
         world.run_for(seconds(2));
         world.heal_all();
         world.run_for(seconds(2));
       }},
      {"inoperable_and_back",
       "A monitor fails on the master: the VSD goes to the primary backup at once, the device is inoperable; healthy "
       "again it becomes initial, then primary backup (manual ch. 3). Seen by the device that failed.",
       0,
       {device(1, 50), device(2, 100)},
       [](World& world) {
         start_all(world);
         world.set_health(0, false);
         world.run_for(seconds(1));
         world.set_health(0, true);
         world.run_for(seconds(2));
       }},
      {"three_members",
       "Three devices: the second best is primary backup, the third is backup; when the master dies the primary backup "
       "takes over and the third one becomes primary backup. Seen by the third.",
       2,
       {device(1, 50), device(2, 80), device(3, 100)},
       [](World& world) {
         start_all(world);
         world.power_off(0);
         world.run_for(seconds(2));
       }},
      {"link_dies_and_returns",
       "The first of two HA links loses its carrier: control messages move to the second one, and back when the first "
       "returns (manual ch. 1, Dual HA Interfaces); mastership stays where it is. Seen by the backup.",
       1,
       {device(1, 50), device(2, 100)},
       [](World& world) {
         start_all(world);
         world.set_carrier(0, LinkIndex{0}, false);
         world.set_carrier(1, LinkIndex{0}, false);
         world.run_for(seconds(1));
         world.set_carrier(0, LinkIndex{0}, true);
         world.set_carrier(1, LinkIndex{0}, true);
         world.run_for(seconds(1));
       }},
      {"quick_restart",
       "The master's daemon is killed and started again while its lease is in force in the data path: it goes on as "
       "master under the same term. Seen by that daemon from its second start on.",
       0,
       {device(1, 50), device(2, 100)},
       [](World& world) {
         start_all(world);
         world.kill(0);
         world.run_for(milliseconds(250));
         world.start(0);
         world.run_for(seconds(2));
       }},
  };
  return all;
}

bool write(const Story& story, const std::filesystem::path& folder) {
  World world;
  for (const MemberSettings& settings : story.members) world.add(settings);
  world.record(story.who, story.description);
  story.tell(world);
  std::error_code error;
  std::filesystem::create_directories(folder / story.name, error);
  std::ofstream file(folder / story.name / "case.jsonl");
  file << world.take_record(story.who);
  file.close();
  if (!file.good()) std::fprintf(stderr, "%s/%s: cannot be written\n", folder.c_str(), story.name);
  return file.good();
}

}  // namespace

}  // namespace nsrp::sim

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: golden_recordings DIR\n");
    return 2;
  }
  bool all = true;
  for (const nsrp::sim::Story& story : nsrp::sim::stories()) all &= nsrp::sim::write(story, argv[1]);
  return all ? 0 : 1;
}
