// SPDX-License-Identifier: Apache-2.0
#include "golden/case.h"

#include <algorithm>
#include <exception>
#include <stdexcept>

#include "golden/encoding.h"

namespace nsrp::golden {

namespace {

core::Member member_of(const Beginning& b) {
  return core::Member(b.settings, b.created, b.boot_epoch, b.adopted);
}

// Whole numbers only: what a fraction or a huge one would become is undefined.
Json parse_line(std::string_view line) {
  return Json::parse(line, [](int, Json::parse_event_t event, const Json& parsed) {
    if (event == Json::parse_event_t::value && parsed.is_number_float()) {
      throw std::runtime_error("a number that is not whole, " + parsed.dump());
    }
    return true;
  });
}

}  // namespace

int64_t reckonable(const Json& json) {
  constexpr int64_t kLimit = 1'000'000'000'000'000;
  const auto number = json.get<int64_t>();
  if (number < -kLimit || number > kLimit) throw std::runtime_error("a number out of range, " + json.dump());
  return number;
}

Result<Case> parse_case(std::string_view text) {
  Case found;
  size_t number = 0;
  try {
    while (!text.empty()) {
      const size_t end = std::min(text.find('\n'), text.size());
      const std::string_view line = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      if (++number == 1) {
        found.beginning = beginning_from(parse_line(line));
        continue;
      }
      const Json json = parse_line(line);
      found.steps.push_back({.line = number,
                             .at = kOrigin + Duration(reckonable(json.at("at_ns"))),
                             .input = input_from(json.at("input")),
                             .expected = json.at("answer").dump()});
    }
  } catch (const std::exception& error) {
    return fail("line " + std::to_string(number) + ": " + error.what());
  }
  if (number == 0) return fail("the file is empty");
  return found;
}

std::optional<Difference> play(const Case& golden) {
  core::Member member = member_of(golden.beginning);
  for (const Step& step : golden.steps) {
    const std::string actual = encode(apply(member, step.at, step.input), kOrigin).dump();
    if (actual != step.expected) return Difference{step.line, step.expected, actual};
  }
  return std::nullopt;
}

std::string rewrite(const Case& golden) {
  core::Member member = member_of(golden.beginning);
  Recorder recorder(golden.beginning);
  for (const Step& step : golden.steps) recorder.record(step.at, step.input, apply(member, step.at, step.input));
  return recorder.take_lines();
}

}  // namespace nsrp::golden
