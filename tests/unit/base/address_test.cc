// SPDX-License-Identifier: Apache-2.0
#include "base/address.h"

#include <doctest/doctest.h>

using namespace nsrp;

TEST_CASE("a MAC address is read with colons or as the manual's twelve digits") {
  CHECK(to_string(*MacAddress::parse("02:4e:53:00:00:0a")) == "02:4e:53:00:00:0a");
  CHECK(to_string(*MacAddress::parse("024E5300000A")) == "02:4e:53:00:00:0a");
  CHECK(MacAddress::parse("02:4e:53:00:00:0a")->as_number() == 0x024e5300000a);
  CHECK(MacAddress{}.is_zero());
}

TEST_CASE("what is not a MAC address is refused with the word in the sentence") {
  for (const char* text :
       {"", "02:4e:53:00:00", "02-4e-53-00-00-0a", "02:4e:53:00:00:0g", "024e530000", "02:4e:53:00:00:0a:"}) {
    CAPTURE(text);
    const auto mac = MacAddress::parse(text);
    REQUIRE_FALSE(mac.has_value());
    CHECK(mac.error().message == "\"" + std::string(text) + "\" is not a MAC address");
  }
}

TEST_CASE("IPv4 and IPv6 addresses read and print") {
  CHECK(to_string(*IpAddress::parse("10.1.2.3")) == "10.1.2.3");
  CHECK(to_string(*IpAddress::parse("2001:DB8::1")) == "2001:db8::1");
  CHECK(IpAddress::parse("10.1.2.3")->size() == 4);
  CHECK(IpAddress::parse("::1")->size() == 16);
  for (const char* text : {"", "10.1.2", "10.1.2.256", "10.1.2.3/24", "1:2:3", "::g", " 10.1.2.3"}) {
    CAPTURE(text);
    CHECK_FALSE(IpAddress::parse(text).has_value());
  }
}

TEST_CASE("kinds of addresses") {
  CHECK(IpAddress::parse("0.0.0.0")->is_unspecified());
  CHECK(IpAddress::parse("::")->is_unspecified());
  CHECK_FALSE(IpAddress::parse("0.0.0.1")->is_unspecified());
  CHECK(IpAddress::parse("224.0.0.18")->is_multicast());
  CHECK(IpAddress::parse("ff02::1")->is_multicast());
  CHECK_FALSE(IpAddress::parse("223.1.1.1")->is_multicast());
  CHECK(IpAddress::parse("127.9.9.9")->is_loopback());
  CHECK(IpAddress::parse("::1")->is_loopback());
  CHECK_FALSE(IpAddress::parse("::2")->is_loopback());
}

TEST_CASE("a prefix keeps its host part and knows its network") {
  const Prefix v4 = *Prefix::parse("10.1.2.3/20");
  CHECK(to_string(v4) == "10.1.2.3/20");
  CHECK(to_string(v4.network()) == "10.1.0.0");
  const Prefix v6 = *Prefix::parse("2001:db8:1:2::3/33");
  CHECK(to_string(v6.network()) == "2001:db8::");
  CHECK(to_string(Prefix::parse("10.1.2.3/0")->network()) == "0.0.0.0");
  CHECK(to_string(Prefix::parse("10.1.2.3/32")->network()) == "10.1.2.3");
}

TEST_CASE("a prefix contains the addresses of its subnet and family only") {
  const Prefix prefix = *Prefix::parse("10.1.2.3/25");
  CHECK(prefix.contains(*IpAddress::parse("10.1.2.127")));
  CHECK_FALSE(prefix.contains(*IpAddress::parse("10.1.2.128")));
  CHECK_FALSE(prefix.contains(*IpAddress::parse("a01:203::")));
}

TEST_CASE("a prefix without, or with a wrong, length is refused with what is allowed") {
  CHECK(Prefix::parse("10.1.1.1").error().message.find("write address/length") != std::string::npos);
  CHECK(Prefix::parse("10.1.1.1/33").error().message == "\"33\" is not a prefix length; allowed: 0-32");
  CHECK(Prefix::parse("::1/129").error().message == "\"129\" is not a prefix length; allowed: 0-128");
  for (const char* text : {"10.1.1.1/", "10.1.1.1/x", "10.1.1.1/2x", "10.1.1.1/-1", "10.1.1.1/ 8", "/8"}) {
    CAPTURE(text);
    CHECK_FALSE(Prefix::parse(text).has_value());
  }
}
