// SPDX-License-Identifier: Apache-2.0
#include "flow.h"

#include <arpa/inet.h>

#include <charconv>
#include <tuple>

namespace nsrp::sessions {
namespace {

std::string address_text(uint8_t family, const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(family, address.data(), text.data(), text.size());
  return text.data();
}

std::string direction_text(uint8_t family, const Direction& direction) {
  return address_text(family, direction.from) + "#" + std::to_string(direction.from_port) + ">" +
         address_text(family, direction.to) + "#" + std::to_string(direction.to_port);
}

}  // namespace

std::string to_string(Life life) {
  static constexpr std::array<const char*, 7> kNames = {"opening",   "open",    "closing", "closed",
                                                        "unreplied", "replied", "stream"};
  return kNames[static_cast<size_t>(life)];
}

std::strong_ordering by_name(const Flow& a, const Flow& b) {
  return std::tie(a.original, a.protocol, a.family, a.zone) <=> std::tie(b.original, b.protocol, b.family, b.zone);
}

std::string to_string(const Flow& flow) {
  std::string text = "protocol " + std::to_string(flow.protocol) + " " + direction_text(flow.family, flow.original) +
                     " reply " + direction_text(flow.family, flow.reply) + " " + to_string(flow.life);
  if (flow.source_nat) text += " snat";
  if (flow.destination_nat) text += " dnat";
  if (flow.mark != 0) text += " mark " + std::to_string(flow.mark);
  if (flow.zone != 0) text += " zone " + std::to_string(flow.zone);
  return text;
}

std::vector<std::string> differences(const Flow& a, const Flow& b) {
  std::vector<std::string> found;
  if (a.reply != b.reply || a.source_nat != b.source_nat || a.destination_nat != b.destination_nat)
    found.push_back("translation");
  if (a.life != b.life) found.push_back("state");
  if (a.mark != b.mark) found.push_back("mark");
  return found;
}

Result<Prefix> Prefix::parse(const std::string& text) {
  const auto refused = [&] { return fail("'" + text + "' is no prefix, as 10.0.0.0/8 or fe80::/10"); };
  const size_t slash = text.find('/');
  if (slash == std::string::npos) return refused();
  Prefix prefix;
  prefix.family = text.find(':') == std::string::npos ? AF_INET : AF_INET6;
  const auto [end, error] = std::from_chars(text.data() + slash + 1, text.data() + text.size(), prefix.bits);
  const bool number = error == std::errc{} && end == text.data() + text.size();
  if (!number || prefix.bits > (prefix.family == AF_INET ? 32u : 128u)) return refused();
  if (inet_pton(prefix.family, text.substr(0, slash).c_str(), prefix.address.data()) != 1) return refused();
  return prefix;
}

bool Prefix::contains(const Address& other) const {
  for (unsigned bit = 0; bit < bits; bit += 8) {
    const unsigned left = bits - bit;
    const auto mask = static_cast<uint8_t>(left >= 8 ? 0xff : 0xff << (8 - left));
    if (((address[bit / 8] ^ other[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

bool touches(const Flow& flow, const Prefix& prefix) {
  if (flow.family != prefix.family) return false;
  return prefix.contains(flow.original.from) || prefix.contains(flow.original.to) || prefix.contains(flow.reply.from) ||
         prefix.contains(flow.reply.to);
}

}  // namespace nsrp::sessions
