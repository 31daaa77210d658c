// SPDX-License-Identifier: Apache-2.0
// One class of objects between mirrors, both halves: what this device tells the peer, and what it holds for it.
//
// The sending half keeps a copy of the class's objects here, which are few. Changes that wait collapse per object. A
// sync names the VSDs it covers, repeats their objects and ends; what the receiver holds of these VSDs and was not
// repeated has gone.
//
// The rule of sessions holds here as well: a member tells of the VSDs it masters, and takes nothing of those.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "rto/codec.h"
#include "rto/object.h"
#include "rto/vsd_set.h"

namespace nsrp::rto {

struct ObjectView {
  std::string_view name;
  uint64_t here;  // objects of this device, of whichever VSD
  uint64_t held;  // of those, and besides, held for the peer
  uint64_t sent, received, ended;
  uint64_t refused;  // the peer's objects of VSDs mastered here, and what is beyond the class's limit
  bool in_sync;      // everything the peer has told once, since the connection began
};

class ObjectStream {
 public:
  explicit ObjectStream(const ObjectRules& rules) : rules_(rules) {}
  const ObjectRules& rules() const { return rules_; }

  // Sending. deactivate(): the connection has ended, in both directions.
  void activate();
  void deactivate();
  void restart_sync();
  // True: of a VSD that this device no longer masters the peer told while it did, and was refused; it must be asked.
  [[nodiscard]] bool set_mastered(VsdSet mastered);
  void change(const Object& object);
  void end(const EndedObject& ended);
  bool wants_write() const;
  void write(std::vector<uint8_t>& out, size_t room);  // messages of at most `room` bytes in all

  // Receiving. Each returns what is to be done to this device's tables.
  struct Result {
    std::vector<Object> apply;
    std::vector<EndedObject> withdraw;
    std::string broken;  // not empty: the message is out of its place, or malformed
  };
  Result receive(ObjectPut message);
  Result receive(ObjectEnd message);
  Result receive(const ObjectSync& message);
  Result receive(const ObjectSyncEnd& message);

  ObjectView view() const;

 private:
  static constexpr size_t kMessageBytes = 16 << 10;
  void queue(const std::string& key);
  bool write_changes(std::vector<uint8_t>& out, size_t room);

  const ObjectRules rules_;
  VsdSet mastered_;

  bool active_ = false;
  std::map<std::string, Object> here_;
  std::map<std::string, VsdId> gone_;  // ended here, and not told yet
  std::deque<std::string> order_;
  std::set<std::string> queued_;
  uint64_t taken_ = 0;
  bool sync_wanted_ = false;
  std::optional<uint64_t> sync_end_mark_;  // behind the last object of a sync

  std::map<std::string, VsdId> held_;
  std::optional<VsdSet> incoming_;  // a sync of these VSDs
  std::set<std::string> repeated_;
  VsdSet missed_;  // VSDs of which the peer told while this device mastered them too
  bool in_sync_ = false;

  uint64_t sent_ = 0, received_ = 0, ended_ = 0, refused_ = 0;
};

}  // namespace nsrp::rto
