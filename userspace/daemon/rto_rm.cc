// SPDX-License-Identifier: Apache-2.0
// Class rm: helpers of flows and the flows they expect, so that a transfer which a client has announced on a control
// connection to one member comes about on the other, and so does the next one.
//
// There are few of them: whatever happens, all are read again.
#include <map>
#include <set>
#include <utility>

#include "daemon/rto_classes.h"
#include "io/clock.h"
#include "kernel/expectations.h"
#include "rto/tuple.h"

namespace nsrp::daemon {
namespace {

using rto::Expectation;
using rto::FlowHelper;

// Sequence numbers shift without an event; and a flow may be told of a moment before it is here itself.
constexpr milliseconds kPollInterval{500}, kSoon{20};
constexpr int kSoonTries = 50;

class RmClass : public RtoClass {
 public:
  const rto::ObjectRules& rules() const override { return rto::kRmRules; }
  Status start(io::Loop& loop, RtoClassHandlers handlers) override;
  void set_vsis(std::span<const RtoVsi>) override {}
  void on_helped_flow(const nsrp_tuple& flow) override;
  void apply(std::span<const rto::Object> objects) override;
  void withdraw(std::span<const rto::EndedObject> objects) override;
  void set_mastered(rto::VsdSet mastered) override;

 private:
  struct Wanted {
    VsdId vsd;
    std::variant<FlowHelper, Expectation> what;
    bool refused = false;
  };
  void poll();
  void poll_at(Instant when);
  void read_all();
  Status read_expectations(std::map<std::string, rto::Object>& found);
  Status read_helpers(std::map<std::string, rto::Object>& found);
  bool install();

  io::Loop* loop_ = nullptr;
  RtoClassHandlers handlers_;
  std::unique_ptr<kernel::Expectations> expectations_;
  io::Watch watch_;
  io::Loop::TimerId timer_ = 0;
  int soon_tries_ = 0;
  std::set<std::string> flows_seen_;          // keys of flows_
  std::vector<nsrp_tuple> flows_;             // that have a helper, as far as it was told
  std::map<std::string, rto::Object> known_;  // on this device
  std::map<std::string, Wanted> wanted_;      // held for the peer
};

Status RmClass::start(io::Loop& loop, RtoClassHandlers handlers) {
  loop_ = &loop;
  handlers_ = std::move(handlers);
  auto expectations = kernel::Expectations::open();
  if (!expectations) return fail(expectations.error());
  expectations_ = std::move(*expectations);
  watch_ = loop.watch(expectations_->events_fd(), io::Loop::kReadable, [this] {
    expectations_->consume_events();
    poll();
  });
  poll();
  return {};
}

void RmClass::on_helped_flow(const nsrp_tuple& flow) {
  if (expectations_ == nullptr || !flows_seen_.insert(rto::helper_key(flow)).second) return;
  flows_.push_back(flow);
  poll_at(io::now() + kSoon);
}

void RmClass::poll_at(Instant when) {
  if (timer_ != 0) loop_->cancel(timer_);
  timer_ = loop_->call_at(when, [this] {
    timer_ = 0;
    poll();
  });
}

void RmClass::poll() {
  const bool complete = install();
  read_all();
  const bool soon = !complete && ++soon_tries_ < kSoonTries;
  poll_at(io::now() + (soon ? kSoon : kPollInterval));
}

void RmClass::read_all() {
  std::map<std::string, rto::Object> found;
  if (const Status read = read_expectations(found); !read) return handlers_.trouble(read);
  if (const Status read = read_helpers(found); !read) return handlers_.trouble(read);
  if (found == known_) return;
  for (const auto& [key, object] : known_) {
    if (!found.contains(key)) handlers_.ended({object.vsd, key});
  }
  for (const auto& [key, object] : found) handlers_.changed(object);
  known_ = std::move(found);
  handlers_.told();
}

Status RmClass::read_expectations(std::map<std::string, rto::Object>& found) {
  const auto all = expectations_->all();
  if (!all) return fail(all.error());
  for (const Expectation& expectation : *all) {
    const std::optional<VsdId> vsd = handlers_.vsd_of(expectation.master);
    if (!vsd) continue;
    rto::Object object = rto::to_object(*vsd, expectation);
    if (!rto::kRmRules.valid_key(object.key) || !rto::kRmRules.valid_value(object.value)) continue;
    if (flows_seen_.insert(rto::helper_key(expectation.master)).second) flows_.push_back(expectation.master);
    found[object.key] = std::move(object);
  }
  return {};
}

// Flows that have ended, or have no helper after all, are forgotten.
Status RmClass::read_helpers(std::map<std::string, rto::Object>& found) {
  const auto helpers = expectations_->helpers_of(flows_);
  if (!helpers) return fail(helpers.error());
  std::vector<nsrp_tuple> alive;
  for (size_t i = 0; i < flows_.size(); ++i) {
    const std::optional<VsdId> vsd = (*helpers)[i] ? handlers_.vsd_of(flows_[i]) : std::nullopt;
    if (!vsd) {
      flows_seen_.erase(rto::helper_key(flows_[i]));
      continue;
    }
    alive.push_back(flows_[i]);
    rto::Object object = rto::to_object(*vsd, *(*helpers)[i]);
    found[object.key] = std::move(object);
  }
  flows_ = std::move(alive);
  return {};
}

// Helpers come first by their keys: a flow without its helper expects nothing. What went meanwhile comes back, like an
// expectation whose time ran out here only. False: some flow is not here yet.
bool RmClass::install() {
  bool complete = true;
  for (auto& [key, wanted] : wanted_) {
    const auto* helper = std::get_if<FlowHelper>(&wanted.what);
    if (helper == nullptr) {
      complete = expectations_->install(std::get<Expectation>(wanted.what)).has_value() && complete;
    } else if (!wanted.refused) {
      const Result<bool> given = expectations_->give(*helper);
      wanted.refused =
          !given;  // a helper this kernel does not have: trying again would cost the flow its entry each time
      if (!given) handlers_.trouble(fail(given.error()));
      if (given && *given && flows_seen_.insert(key).second) flows_.push_back(helper->flow);
      complete = complete && given.value_or(true);
    }
  }
  return complete;
}

void RmClass::apply(std::span<const rto::Object> objects) {
  if (expectations_ == nullptr) return;
  for (const rto::Object& object : objects) {
    const auto what = rto::rm_object_of(object.key, object.value);
    if (what) wanted_[object.key] = {object.vsd, *what, false};
  }
  soon_tries_ = 0;
  poll();
}

void RmClass::withdraw(std::span<const rto::EndedObject> objects) {
  for (const rto::EndedObject& object : objects) {
    const auto found = wanted_.find(object.key);
    if (found == wanted_.end()) continue;
    if (const auto* expectation = std::get_if<Expectation>(&found->second.what)) {
      if (const Status removed = expectations_->remove(*expectation); !removed) handlers_.trouble(removed);
    }
    wanted_.erase(found);
  }
}

void RmClass::set_mastered(rto::VsdSet mastered) {
  std::erase_if(wanted_, [&](const auto& held) { return mastered.contains(held.second.vsd); });
}

}  // namespace

std::unique_ptr<RtoClass> make_rm_class() {
  return std::make_unique<RmClass>();
}

}  // namespace nsrp::daemon
