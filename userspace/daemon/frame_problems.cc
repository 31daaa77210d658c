// SPDX-License-Identifier: Apache-2.0
#include "daemon/frame_problems.h"

#include <algorithm>

namespace nsrp::daemon {

namespace {

// What a frame says of itself, as far as it goes; not to be believed.
struct Claims {
  MacAddress from;
  unsigned version = 0, cluster = 0, link = 0;
  UnitId unit;
};

Claims claims_of(wire::ByteView frame) {
  wire::Reader in(frame);
  Claims claims;
  in.raw<6>();
  claims.from.bytes = in.raw<6>();
  in.raw<6>();
  claims.version = in.number<uint8_t>();
  in.number<uint8_t>();
  claims.cluster = in.number<uint8_t>();
  claims.link = in.number<uint8_t>();
  claims.unit = in.unit();
  return claims;
}

bool names_unit(wire::Drop cause) {
  return cause != wire::Drop::kMalformed && cause != wire::Drop::kWrongVersion && cause != wire::Drop::kOwnEcho;
}

std::string words(wire::Drop cause, const Claims& claims, const FrameProblems::Ours& ours) {
  const std::string device = "a device at " + to_string(claims.from) + " on " + ours.ifname;
  const std::string unit = "unit " + to_string(claims.unit);
  switch (cause) {
    case wire::Drop::kMalformed:
      return device + " sends frames of our type that are none of ours";
    case wire::Drop::kWrongVersion:
      return device + " speaks version " + std::to_string(claims.version) + " of the protocol; this one version " +
             std::to_string(wire::kVersion);
    case wire::Drop::kWrongCluster:
      return device + " is in cluster " + std::to_string(claims.cluster) + "; this one in cluster " +
             std::to_string(ours.cluster.value);
    case wire::Drop::kOwnEcho:
      return "this device's own frames come back to it on " + ours.ifname + ": the link is a loop";
    case wire::Drop::kDuplicateUnit:
      return device + " has the unit id of this one, or plays back what this one sent before it was restarted";
    case wire::Drop::kUnprotected:
      return device + " (" + unit + ") uses no password; this one does";
    case wire::Drop::kProtected:
      return device + " (" + unit + ") uses a password; this one does not";
    case wire::Drop::kUnknownKey:
      return device + " (" + unit + ") uses another password";
    case wire::Drop::kBadTag:
      return device + " sends frames that say they are " + unit + "'s and are forged or damaged";
    case wire::Drop::kReplay:
      return device + " sends frames of " + unit + " again that have come before: a loop, or somebody plays them back";
    case wire::Drop::kStaleEpoch:
      return device + " sends frames of an earlier run of " + unit + ", or that unit does not hear us on this link";
    case wire::Drop::kWrongLink:
      return device + " sends frames that " + unit + " sent on its link " + std::to_string(claims.link) +
             ", and that unit does not answer for them here";
    case wire::Drop::kFloodLimited:
      return device + " sends more than can be answered";
    case wire::Drop::kCount:
      break;
  }
  return device + " is not understood";
}

}  // namespace

void FrameProblems::add(Instant now, wire::Drop cause, wire::ByteView frame, const Ours& ours) {
  const Claims claims = claims_of(frame);
  const uint64_t from = names_unit(cause) ? claims.unit.value : claims.from.as_number();
  auto entry = std::find_if(entries_.begin(), entries_.end(),
                            [&](const Entry& each) { return each.problem.cause == cause && each.from == from; });
  if (entry == entries_.end()) {
    if (entries_.size() >= kMost) {
      entries_.erase(std::min_element(entries_.begin(), entries_.end(), [](const Entry& one, const Entry& other) {
        return std::pair(one.stands(), one.problem.last) < std::pair(other.stands(), other.problem.last);
      }));
    }
    const std::string who = names_unit(cause) ? to_string(claims.unit) : to_string(claims.from);
    entries_.push_back({from, {cause, who, words(cause, claims, ours), now, now, 0}});
    entry = entries_.end() - 1;
  }
  entry->problem.last = now;
  ++entry->problem.count;
}

void FrameProblems::expire(Instant now) {
  std::erase_if(entries_, [now](const Entry& entry) { return now >= entry.problem.last + kEnds; });
}

std::vector<FrameProblem> FrameProblems::standing() const {
  std::vector<FrameProblem> problems;
  for (const Entry& entry : entries_) {
    if (entry.stands()) problems.push_back(entry.problem);
  }
  return problems;
}

}  // namespace nsrp::daemon
