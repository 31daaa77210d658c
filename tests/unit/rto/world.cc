// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace nsrp::rto::test {

Side::Side(uint64_t unit, size_t max_pending)
    : mirror({.unit = UnitId{unit},
              .cluster = ClusterId{1},
              .boot_epoch = unit,
              .sync = true,
              .audit_interval = milliseconds(200)},
             {kTestClass}, max_pending) {}

void Side::drain_ring() {
  for (const Session& session : std::exchange(ring, {})) mirror.on_local_session(session);
}

World::World(uint64_t seed, size_t max_pending)
    : random_(seed), sides_{Side(0xa, max_pending), Side(0xb, max_pending)} {}

void World::wait(Duration time) {
  now_ += time;
  for (size_t i = 0; i < 2; ++i) carry_out(i, sides_[i].mirror.on_time(now_));
}

void World::connect() {
  connected_ = true;
  for (size_t i = 0; i < 2; ++i) carry_out(i, sides_[i].mirror.on_connected(now_));
}

void World::disconnect() {
  if (!connected_) return;
  connected_ = false;
  for (Side& side : sides_) side.sent.clear();
  for (size_t i = 0; i < 2; ++i) carry_out(i, sides_[i].mirror.on_disconnected(now_));
}

void World::master(size_t index, VsdSet vsds) {
  sides_[index].drain_ring();
  sides_[index].mastered = vsds;
  carry_out(index, sides_[index].mirror.set_mastered(vsds));
}

void World::change(size_t index, const Session& session) {
  Side& side = sides_[index];
  side.table.insert_or_assign(session.key, Side::Record{session, ++side.clock});
  side.ring.push_back(session);
}

void World::end(size_t index, const EndedSession& ended) {
  Side& side = sides_[index];
  side.drain_ring();  // an end is later than every change that is in the ring
  if (side.table.erase(ended.key) > 0) side.mirror.on_local_end(ended);
}

void World::barrier(size_t index, uint64_t id, BarrierOf what) {
  sides_[index].drain_ring();
  carry_out(index, sides_[index].mirror.begin_barrier(id, what));
}

// As an adapter does: whatever is in the device's table is told, wherever it comes from.
void World::learn(size_t index, const Object& object) {
  sides_[index].objects[object.key] = object;
  sides_[index].mirror.on_local_object(kTestClass.id, object);
}

void World::forget(size_t index, const std::string& key) {
  const auto found = sides_[index].objects.find(key);
  if (found == sides_[index].objects.end()) return;
  const EndedObject ended{found->second.vsd, key};
  sides_[index].objects.erase(found);
  sides_[index].mirror.on_local_object_end(kTestClass.id, ended);
}

bool World::can_write(const Side& side) const {
  return side.mirror.wants_write() && side.sent.size() < kPipeBytes;
}

void World::deliver(size_t to) {
  std::deque<uint8_t>& pipe = sides_[1 - to].sent;
  const auto size = static_cast<std::ptrdiff_t>(1 + random(random(4) == 0 ? 20 : pipe.size()));
  const auto end = pipe.begin() + std::min(size, static_cast<std::ptrdiff_t>(pipe.size()));
  const std::vector<uint8_t> bytes(pipe.begin(), end);
  pipe.erase(pipe.begin(), end);
  carry_out(to, sides_[to].mirror.on_bytes(now_, bytes));
}

bool World::step() {
  now_ += milliseconds(1);
  std::vector<std::pair<size_t, int>> possible;
  for (size_t i = 0; i < 2; ++i) {
    if (!sides_[i].ring.empty()) possible.emplace_back(i, 0);
    if (connected_ && can_write(sides_[i])) possible.emplace_back(i, 1);
    if (connected_ && !sides_[1 - i].sent.empty()) possible.emplace_back(i, 2);
  }
  if (possible.empty()) return false;
  const auto [i, what] = possible[random(possible.size())];
  Side& side = sides_[i];
  if (what == 0) {
    side.mirror.on_local_session(side.ring.front());
    side.ring.pop_front();
  } else if (what == 1) {
    carry_out(i, side.mirror.on_writable(now_, kPipeBytes - side.sent.size()));
  } else {
    deliver(i);
  }
  return true;
}

void World::settle() {
  // A mirror that waits for ever to write what it cannot is a defect: the bound finds it.
  for (size_t steps = 0; step(); ++steps) REQUIRE(steps < 2'000'000);
}

void World::carry_out(size_t index, MirrorActions actions) {
  for (MirrorAction& action : actions) {
    std::visit([&](auto& a) { do_action(index, a); }, action);
  }
  if (std::exchange(closing_, false)) disconnect();
}

void World::do_action(size_t index, Send& send) {
  Side& side = sides_[index];
  side.largest_send = std::max(side.largest_send, send.bytes.size());
  side.sent.insert(side.sent.end(), send.bytes.begin(), send.bytes.end());
}

void World::do_action(size_t index, Install& install) {
  Side& side = sides_[index];
  uint64_t failed = 0;
  for (const Session& session : install.sessions) {
    const bool exists = side.table.contains(session.key);
    if (install.only_missing && exists) continue;
    if (!exists && side.table.size() >= side.table_limit) {
      ++failed;
      continue;
    }
    side.table.insert_or_assign(session.key, Side::Record{session, ++side.clock});
    if (install.only_missing) side.mirror.on_local_session(session);
  }
  carry_out(index, side.mirror.on_installed(failed));
}

void World::do_action(size_t index, Remove& remove) {
  for (const nsrp_tuple& key : remove.keys) sides_[index].table.erase(key);
}

void World::do_action(size_t index, Restate& restate) {
  Side& side = sides_[index];
  for (const nsrp_tuple& key : restate.keys) {
    if (const auto found = side.table.find(key); found != side.table.end()) {
      side.mirror.on_local_session(found->second.session);
    }
  }
}

void World::do_action(size_t index, SyncStarted&) {
  sides_[index].sync_started = sides_[index].clock;
}

void World::do_action(size_t index, SyncFinished& finished) {
  std::erase_if(sides_[index].table, [&](const auto& entry) {
    const Side::Record& record = entry.second;
    const bool meant = !finished.only || finished.only->contains(record.session.key);
    return meant && finished.vsds.contains(VsdId{record.session.session.vsd}) &&
           record.stamp <= sides_[index].sync_started;
  });
}

// As the kernel's table is read: in steps, while it changes.
void World::do_action(size_t index, ReadSessions& read) {
  Side& side = sides_[index];
  if (read.from_start) {
    ++side.reads_from_start;
    side.read_until.reset();
    side.mirror.on_snapshot_begin(side.table.size());
  }
  std::vector<Session> step;
  const bool at_end = read_table(side, side.read_until, read.limit, step);
  side.mirror.on_snapshot(step);
  if (at_end) side.mirror.on_snapshot_end();
}

bool World::read_table(const Side& side, std::optional<nsrp_tuple>& until, size_t limit, std::vector<Session>& step) {
  auto next = until ? side.table.upper_bound(*until) : side.table.begin();
  for (; next != side.table.end() && step.size() < std::min(limit, kReadStep); ++next) {
    until = next->first;
    step.push_back(next->second.session);
  }
  return next == side.table.end();
}

void World::do_action(size_t index, ReadForAudit& read) {
  Side& side = sides_[index];
  if (read.limit == 0) side.drain_ring();
  std::optional<nsrp_tuple>& until = side.audited_until[read.own ? 0 : 1];
  if (read.from_start) until.reset();
  std::vector<Session> step;
  const bool at_end = read.limit > 0 && read_table(side, until, read.limit, step);
  carry_out(index, side.mirror.on_audit_read(now_, read.own, step, at_end));
}

void World::audit(size_t rounds, const std::function<void()>& traffic) {
  const auto done = [&](size_t i) { return sides_[i].mirror.view().audit_there.rounds; };
  const std::array<uint64_t, 2> goal = {done(0) + rounds, done(1) + rounds};
  for (size_t steps = 0; steps < 2'000'000; ++steps) {
    const auto behind = [&](size_t i) { return !sides_[i].mastered.empty() && done(i) < goal[i]; };
    if (!behind(0) && !behind(1)) return settle();
    if (traffic) traffic();
    if (!step()) now_ += milliseconds(1);
    for (size_t i = 0; i < 2; ++i) {
      if (sides_[i].mirror.next_deadline() <= now_) carry_out(i, sides_[i].mirror.on_time(now_));
    }
  }
  FAIL("the audit does not end");
}

void World::do_action(size_t index, ApplyObjects& apply) {
  for (const Object& object : apply.objects) learn(index, object);
}

void World::do_action(size_t index, WithdrawObjects& withdraw) {
  for (const EndedObject& object : withdraw.objects) forget(index, object.key);
}

void World::do_action(size_t index, InSync& in_sync) {
  CHECK(in_sync.peer == UnitId{index == 0 ? 0xbu : 0xau});
  CHECK(sides_[index].in_sync != in_sync.value);
  sides_[index].in_sync = in_sync.value;
}

void World::do_action(size_t index, BarrierDone& done) {
  sides_[index].barriers_done.push_back(done.id);
}

void World::do_action(size_t index, CloseChannel& close) {
  sides_[index].closed.push_back(close.reason);
  closing_ = true;
}

}  // namespace nsrp::rto::test
