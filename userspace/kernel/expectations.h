// SPDX-License-Identifier: Apache-2.0
// What conntrack's helpers know, through ctnetlink: expected flows, and the flows that have a helper.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "rto/helper.h"

namespace nsrp::kernel {

using rto::Expectation;
using rto::FlowHelper;

class Expectations {
 public:
  static Result<std::unique_ptr<Expectations>> open();
  ~Expectations();

  Result<std::vector<Expectation>> all();
  // Readable when some came or went; all() tells which.
  int events_fd() const;
  void consume_events();

  // One that is there already is no error. Its flow must exist and have its helper.
  Status install(const Expectation& expectation);
  Status remove(const Expectation& expectation);  // one that is gone already is no error

  // Which helper each flow has; nullopt: the flow has none, or does not exist.
  Result<std::vector<std::optional<FlowHelper>>> helpers_of(std::span<const nsrp_tuple> flows);
  // Gives a flow its helper and the shift of its sequence numbers. The kernel knows how to do the former with a new
  // entry only, so the flow's entry is replaced. False: there is no such flow.
  Result<bool> give(const FlowHelper& helper);

 private:
  Expectations();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nsrp::kernel
