// SPDX-License-Identifier: Apache-2.0
#include "rto/bridge_mac.h"

#include <doctest/doctest.h>

using namespace nsrp;
using namespace nsrp::rto;

TEST_CASE("a MAC address behind a port arrives as it was sent") {
  const BridgeMac entry{*MacAddress::parse("02:00:00:00:00:17"), "eth1"};
  const Object object = to_object(entry);
  CHECK(object.vsd == VsdId{0});
  CHECK(object.key == bridge_mac_key(entry.mac));
  CHECK(bridge_mac_of(object.key, object.value) == entry);
}

TEST_CASE("what cannot be a MAC address behind a port is refused") {
  const auto taken = [](const std::string& key, const std::string& value) {
    CHECK(kMacRules.valid_key(key) == bridge_mac_of(key, "eth1").has_value());
    return bridge_mac_of(key, value).has_value();
  };
  const std::string good("\x02\x00\x00\x00\x00\x17", 6);
  CHECK(taken(good, "eth1"));
  CHECK(taken(good, "abcdefghijklmno"));
  CHECK_FALSE(taken(good, "abcdefghijklmnop"));
  CHECK_FALSE(taken(good, ""));
  CHECK_FALSE(taken(good, "eth 1"));
  CHECK_FALSE(taken(good, "../eth1"));
  CHECK_FALSE(taken(good, std::string("eth1\0", 5)));
  CHECK_FALSE(taken("", "eth1"));
  CHECK_FALSE(taken(good + "x", "eth1"));
  CHECK_FALSE(taken(std::string(6, '\0'), "eth1"));
  CHECK_FALSE(taken(std::string("\x03\x00\x00\x00\x00\x17", 6), "eth1"));  // a group
  CHECK_FALSE(taken(std::string(6, '\xff'), "eth1"));
}
