// SPDX-License-Identifier: Apache-2.0
// Class rm: what conntrack's helpers (FTP, SIP …) know. A flow with a helper: which one, and by how much its TCP
// sequence numbers are shifted since the helper changed addresses in the payload. And expectations: connections that
// such a flow has announced, with the translation they will get.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/ids.h"
#include "nsrp/abi/nsrp_abi.h"
#include "rto/object.h"

namespace nsrp::rto {

struct SequenceShift {  // before and behind a place in the stream
  uint32_t position = 0, before = 0, after = 0;
  bool operator==(const SequenceShift&) const = default;
};

struct FlowHelper {
  nsrp_tuple flow{};
  std::string name;
  std::array<SequenceShift, 2> shifts{};  // original direction, reply
};

struct Expectation {
  nsrp_tuple tuple{}, mask{};
  nsrp_tuple master{};
  std::string helper;    // of the flow it announces; may be empty
  std::string function;  // what the kernel does with the flow when it comes; may be empty
  uint32_t flags = 0, helper_class = 0;
  struct Translation {
    uint32_t direction;
    nsrp_tuple to;
  };
  std::optional<Translation> translation;
};

std::string helper_key(const nsrp_tuple& flow);
std::string expectation_key(const nsrp_tuple& tuple, const nsrp_tuple& mask);
Object to_object(VsdId vsd, const FlowHelper& helper);
Object to_object(VsdId vsd, const Expectation& expectation);
// nullopt: a peer of ours would not send this.
std::optional<std::variant<FlowHelper, Expectation>> rm_object_of(const std::string& key, const std::string& value);

extern const ObjectRules kRmRules;

}  // namespace nsrp::rto
