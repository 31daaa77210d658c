// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "core/transitions.h"

using namespace nsrp;
using namespace nsrp::core;

TEST_CASE("docs/states.md is what the table says") {
  const std::ifstream file(NSRP_STATES_MD);
  std::ostringstream text;
  text << file.rdbuf();
  CHECK_MESSAGE(text.str() == describe_states(),
                "docs/states.md is out of date: cmake --build BUILDDIR --target docs_states");
}

TEST_CASE("each cause has its row, with something to say and a change it makes") {
  REQUIRE(transitions().size() == kCauses);
  size_t index = 0;
  for (const Transition& row : transitions()) {
    CAPTURE(row.name);
    CHECK(static_cast<size_t>(row.cause) == index++);
    CHECK_FALSE(row.name.empty());
    CHECK_FALSE(row.sentence.empty());
    const StateSet states = row.from | row.to;
    CHECK((row.from.any() && row.to.any() && states.count() >= 2));
    CHECK_FALSE(states.test(0));
    CHECK_FALSE(states.test(7));
  }
}

TEST_CASE("manual ch. 1: out of ineligible and inoperable there is no way but through initial") {
  for (size_t cause = 0; cause < kCauses; ++cause) {
    for (const VsdState to : {VsdState::kPrimaryBackup, VsdState::kBackup}) {
      CHECK_FALSE(allowed(VsdState::kIneligible, to, static_cast<Cause>(cause)));
      CHECK_FALSE(allowed(VsdState::kInoperable, to, static_cast<Cause>(cause)));
    }
    CHECK_FALSE(allowed(VsdState::kIneligible, VsdState::kMaster, static_cast<Cause>(cause)));
  }
}

TEST_CASE("a state does not change into itself, and a cause makes only its own changes") {
  CHECK(allowed(VsdState::kMaster, VsdState::kBackup, Cause::kLapsed));
  CHECK_FALSE(allowed(VsdState::kBackup, VsdState::kBackup, Cause::kRanked));
  CHECK_FALSE(allowed(VsdState::kMaster, VsdState::kPrimaryBackup, Cause::kRanked));
  CHECK_FALSE(allowed(VsdState::kBackup, VsdState::kMaster, Cause::kLapsed));
}
