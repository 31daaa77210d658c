// SPDX-License-Identifier: Apache-2.0
// Class mac: what the master's bridge has learned (transparent mode). A backup's ports are closed, so it could not know
// by itself. When it becomes master it makes the switches around it learn the new path at once, by a frame in the name
// of each address out of every port it is not behind; left alone they would send to the old one until their entries
// age.
#include <net/if.h>

#include <algorithm>
#include <map>
#include <utility>

#include "config/model.h"
#include "daemon/rto_classes.h"
#include "io/clock.h"
#include "io/link_socket.h"
#include "kernel/bridge_table.h"
#include "rto/bridge_mac.h"
#include "wire/announcement.h"

namespace nsrp::daemon {
namespace {

using kernel::LearnedMac;

constexpr VsdId kVsd{0};
const std::string kBridge(config::kTransparentDevice);
// A frame that the old master sent last may come behind the first round, and any frame may be lost.
constexpr milliseconds kRounds[] = {milliseconds(0), milliseconds(200), milliseconds(1000)};

std::string port_name(IfIndex port) {
  char name[IF_NAMESIZE];
  return if_indextoname(port.value, name) == nullptr ? "" : name;  // "": it has just gone
}

class MacClass : public RtoClass {
 public:
  const rto::ObjectRules& rules() const override { return rto::kMacRules; }
  Status start(io::Loop& loop, RtoClassHandlers handlers) override;
  void set_vsis(std::span<const RtoVsi>) override {}
  void apply(std::span<const rto::Object> objects) override;
  void withdraw(std::span<const rto::EndedObject> objects) override;
  void set_mastered(rto::VsdSet mastered) override;

 private:
  void on_events();
  void read_all();
  void take(const LearnedMac& entry);
  void take_over();
  void announce();
  void give_up();

  io::Loop* loop_ = nullptr;
  RtoClassHandlers handlers_;
  std::unique_ptr<kernel::BridgeTable> table_;
  io::Watch watch_;
  bool mastered_ = false;
  unsigned mastership_ = 0;                   // counts them, so that rounds of an earlier one end
  std::map<MacAddress, IfIndex> known_;       // learned here
  std::map<MacAddress, std::string> wanted_;  // to be put to use when this device becomes master: the port's name
  std::map<MacAddress, IfIndex> announced_;   // by the present master, which this device is
};

Status MacClass::start(io::Loop& loop, RtoClassHandlers handlers) {
  loop_ = &loop;
  handlers_ = std::move(handlers);
  auto table = kernel::BridgeTable::open(kBridge);
  if (!table) return fail(table.error());
  table_ = std::move(*table);
  watch_ = loop.watch(table_->events_fd(), io::Loop::kReadable, [this] { on_events(); });
  read_all();
  return {};
}

void MacClass::on_events() {
  if (!table_->consume_events([this](const LearnedMac& entry) { take(entry); })) return read_all();
  handlers_.told();
}

void MacClass::read_all() {
  const Result<std::vector<LearnedMac>> all = table_->all();
  if (!all) return handlers_.trouble(fail(all.error()));
  std::map<MacAddress, IfIndex> gone = known_;
  for (const LearnedMac& entry : *all) {
    gone.erase(entry.mac);
    take(entry);
  }
  for (const auto& [mac, port] : gone) take({mac, port, true});
  handlers_.told();
}

// Of an entry that has moved the kernel tells as of a new one.
void MacClass::take(const LearnedMac& entry) {
  const rto::Object object = rto::to_object({entry.mac, port_name(entry.port)});
  if (!entry.gone && rto::bridge_mac_of(object.key, object.value)) {
    known_[entry.mac] = entry.port;
    handlers_.changed(object);
  } else if (known_.erase(entry.mac) > 0) {
    handlers_.ended({kVsd, object.key});
  }
}

void MacClass::apply(std::span<const rto::Object> objects) {
  for (const rto::Object& object : objects) {
    if (const auto entry = rto::bridge_mac_of(object.key, object.value)) wanted_[entry->mac] = entry->port;
  }
}

void MacClass::withdraw(std::span<const rto::EndedObject> objects) {
  for (const rto::EndedObject& object : objects) {
    std::erase_if(wanted_, [&](const auto& held) { return rto::bridge_mac_key(held.first) == object.key; });
  }
}

// Told more than once.
void MacClass::set_mastered(rto::VsdSet mastered) {
  const bool before = std::exchange(mastered_, mastered.contains(kVsd));
  if (table_ == nullptr || before == mastered_) return;
  ++mastership_;
  if (mastered_) {
    take_over();
  } else {
    give_up();
  }
}

void MacClass::take_over() {
  announced_.clear();
  for (const auto& [mac, name] : std::exchange(wanted_, {})) {
    const IfIndex port{if_nametoindex(name.c_str())};
    // A port that this device has not: its configuration differs, which the operator is told elsewhere.
    if (port.value != 0 && table_->learn(mac, port)) announced_[mac] = port;
  }
  for (const milliseconds after : kRounds) {
    loop_->call_at(io::now() + after, [this, mastership = mastership_] {
      if (mastership == mastership_) announce();
    });
  }
}

void MacClass::announce() {
  if (announced_.empty()) return;
  const Result<std::vector<IfIndex>> ports = table_->ports();
  if (!ports) return handlers_.trouble(fail(ports.error()));
  std::erase_if(announced_, [this](const auto& each) {  // heard behind another port since
    const auto known = known_.find(each.first);
    return known != known_.end() && known->second != each.second;
  });
  for (const IfIndex out : *ports) {
    const Result<io::LinkSocket> socket = io::LinkSocket::open(out, 0);
    if (!socket) continue;  // it has just gone
    for (const auto& [mac, port] : announced_) {
      if (port != out) (void)socket->send(wire::learning_frame(mac));
    }
  }
}

// What the bridge knows is soon out of date, but better than nothing should the new master die before it has told us.
void MacClass::give_up() {
  for (const auto& [mac, port] : known_) wanted_[mac] = port_name(port);
  if (const Status cleared = table_->forget_all(); !cleared) handlers_.trouble(cleared);
}

}  // namespace

std::unique_ptr<RtoClass> make_mac_class() {
  return std::make_unique<MacClass>();
}

}  // namespace nsrp::daemon
