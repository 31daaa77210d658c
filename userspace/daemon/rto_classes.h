// SPDX-License-Identifier: Apache-2.0
// A class of run-time objects as the RTO thread sees it: how the objects are found on this device, and how the peer's
// are put to use. What goes over the wire is the mirror's business (rto/object_stream.h).
//
// A new class is one file beside this one that implements RtoClass, and its line in rto_classes.cc. Everything runs on
// the RTO thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/ids.h"
#include "base/result.h"
#include "io/loop.h"
#include "nsrp/abi/nsrp_abi.h"
#include "rto/object.h"
#include "rto/vsd_set.h"

namespace nsrp::daemon {

// A VSI on this device: its name among members, and where it is here.
struct RtoVsi {
  Vid vid;
  VsdId vsd;
  IfIndex ifindex;
  std::vector<Prefix> addresses;
  bool operator==(const RtoVsi&) const = default;
};

// How a class tells the mirror of objects on this device, of whichever VSD: at the start all there are, then changes.
struct RtoClassHandlers {
  std::function<void(const rto::Object&)> changed;
  std::function<void(const rto::EndedObject&)> ended;
  std::function<void()> told;  // after one or more of these
  std::function<void(const Status&)> trouble;
  // Which VSD the flow with this original tuple belongs to; nullopt: there is no such session, or it is not mirrored.
  std::function<std::optional<VsdId>(const nsrp_tuple&)> vsd_of;
};

class RtoClass {
 public:
  virtual ~RtoClass() = default;
  virtual const rto::ObjectRules& rules() const = 0;
  virtual Status start(io::Loop& loop, RtoClassHandlers handlers) = 0;
  virtual void set_vsis(std::span<const RtoVsi> vsis) = 0;
  // A session of this device is one of those that a helper of conntrack reads. Told more than once.
  virtual void on_helped_flow(const nsrp_tuple&) {}
  // What the peer has for VSDs that this device does not master.
  virtual void apply(std::span<const rto::Object> objects) = 0;
  virtual void withdraw(std::span<const rto::EndedObject> objects) = 0;
  // The device masters these from now on: what it holds for the peer of them is its own.
  virtual void set_mastered(rto::VsdSet mastered) = 0;
};

// All that the manual names (ch. 1, "Synchronizing Run-Time Objects"), and class mac. `make` is empty for a class that
// this build does not have, and for sessions, which are too many for this interface (rto_sessions.h).
struct RtoClassEntry {
  std::string_view name;
  bool built_in;
  std::unique_ptr<RtoClass> (*make)();
};
std::span<const RtoClassEntry> rto_classes();

}  // namespace nsrp::daemon
