// SPDX-License-Identifier: Apache-2.0
#include "rto/neighbour.h"

#include <doctest/doctest.h>

using namespace nsrp;
using namespace nsrp::rto;

namespace {

Neighbour neighbour(const char* address) {
  return {Vid{0x123}, *IpAddress::parse(address), *MacAddress::parse("02:00:00:00:00:17")};
}

bool taken(const Neighbour& wanted) {
  const Object object = to_object(VsdId{3}, wanted);
  return neighbour_of(object.key, object.value).has_value();
}

}  // namespace

TEST_CASE("a neighbour arrives as it was sent, IPv4 and IPv6") {
  for (const char* address : {"10.1.1.7", "2001:db8::7", "fe80::7"}) {
    const Object object = to_object(VsdId{3}, neighbour(address));
    CHECK(object.vsd == VsdId{3});
    CHECK(neighbour_of(object.key, object.value) == neighbour(address));
  }
  CHECK(neighbour_key(Vid{0x123}, *IpAddress::parse("10.1.1.7")) == std::string("\x01\x23\x04\x0a\x01\x01\x07"));
}

TEST_CASE("what cannot be a neighbour on a VSI is refused") {
  CHECK(taken(neighbour("10.1.1.7")));
  for (const char* address : {"0.0.0.0", "224.0.0.1", "127.0.0.1", "::", "ff02::1", "::1"}) {
    CHECK_FALSE(taken(neighbour(address)));
  }
  Neighbour broken = neighbour("10.1.1.7");
  broken.vid = Vid{0};
  CHECK_FALSE(taken(broken));
  broken.vid = Vid{4095};
  CHECK_FALSE(taken(broken));
  broken = neighbour("10.1.1.7");
  broken.mac = {};
  CHECK_FALSE(taken(broken));
  broken.mac = *MacAddress::parse("ff:ff:ff:ff:ff:ff");
  CHECK_FALSE(taken(broken));
  const Object object = to_object(VsdId{0}, neighbour("10.1.1.7"));
  CHECK_FALSE(neighbour_of(object.key + "x", object.value));
  CHECK_FALSE(neighbour_of("", object.value));
  CHECK_FALSE(neighbour_of(object.key, object.value + "x"));
}
