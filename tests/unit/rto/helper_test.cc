// SPDX-License-Identifier: Apache-2.0
#include "rto/helper.h"

#include <doctest/doctest.h>

#include "sessions.h"

using namespace nsrp;
using namespace nsrp::rto;
using namespace nsrp::rto::test;

namespace {

FlowHelper helped() {
  return {tuple(7), "ftp", {SequenceShift{1, 2, 3}, SequenceShift{4, 5, 0xfffffffe}}};
}

Expectation expected() {
  Expectation expectation;
  expectation.tuple = tuple(8);
  expectation.tuple.zone = 0x1234;
  expectation.mask = tuple(9);
  expectation.master = tuple(7);
  expectation.helper = "sip";
  expectation.function = "nat-follow-master";
  expectation.flags = 5;
  expectation.helper_class = 2;
  expectation.translation = {1, tuple(10)};
  return expectation;
}

bool valid(const Object& object) {
  return kRmRules.valid_key(object.key) && kRmRules.valid_value(object.value);
}

}  // namespace

TEST_CASE("a flow's helper goes over the wire and back") {
  const Object object = to_object(VsdId{3}, helped());
  CHECK(valid(object));
  const auto back = std::get<FlowHelper>(rm_object_of(object.key, object.value).value());
  CHECK(same(back.flow, tuple(7)));
  CHECK(back.name == "ftp");
  CHECK(back.shifts == helped().shifts);
}

TEST_CASE("an expectation goes over the wire and back, translated or not") {
  for (const bool translated : {true, false}) {
    Expectation expectation = expected();
    if (!translated) expectation.translation.reset();
    const Object object = to_object(VsdId{3}, expectation);
    CHECK(valid(object));
    const auto back = std::get<Expectation>(rm_object_of(object.key, object.value).value());
    CHECK(to_object(VsdId{3}, back) == object);
    CHECK(back.tuple.zone == 0x1234);
    CHECK(back.translation.has_value() == translated);
  }
}

TEST_CASE("objects cut short, too long, of another kind or with odd names are refused") {
  for (const Object& object : {to_object(VsdId{0}, helped()), to_object(VsdId{0}, expected())}) {
    for (size_t size = 0; size < object.key.size(); ++size) CHECK_FALSE(kRmRules.valid_key(object.key.substr(0, size)));
    for (size_t size = 0; size < object.value.size(); ++size) {
      CHECK_FALSE(kRmRules.valid_value(object.value.substr(0, size)));
    }
    CHECK_FALSE(kRmRules.valid_key(object.key + "x"));
    CHECK_FALSE(kRmRules.valid_value(object.value + "x"));
  }
  CHECK_FALSE(rm_object_of(helper_key(tuple(1)), to_object(VsdId{0}, expected()).value).has_value());
  FlowHelper odd = helped();
  odd.name = "f p";
  CHECK_FALSE(valid(to_object(VsdId{0}, odd)));
  odd.name = "";
  CHECK_FALSE(valid(to_object(VsdId{0}, odd)));
  nsrp_tuple family = tuple(1);
  family.family = 9;
  CHECK_FALSE(kRmRules.valid_key(helper_key(family)));
}
