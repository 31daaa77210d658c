// SPDX-License-Identifier: Apache-2.0
#include "rto/helper.h"

#include <algorithm>

#include "rto/codec.h"
#include "rto/tuple.h"

namespace nsrp::rto {
namespace {

constexpr char kFlow = 1, kExpected = 2;  // the first byte of key and value
constexpr size_t kLongestName = 31;

void put(std::string& out, const nsrp_tuple& tuple) {
  const TupleBytes bytes = to_bytes(tuple);
  out.append(bytes.begin(), bytes.end());
}
void put(std::string& out, uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(number >> shift & 0xff));
}
void put(std::string& out, const std::string& name) {
  out.push_back(static_cast<char>(std::min(name.size(), kLongestName)));
  out.append(name, 0, kLongestName);
}

// Takes one thing after the other; what does not fit leaves it broken.
class Taker {
 public:
  explicit Taker(const std::string& bytes) : bytes_(bytes) {}

  char kind() { return has(1) ? bytes_[at_++] : char{0}; }
  nsrp_tuple tuple(bool mask = false) {
    if (!has(kTupleBytes)) return {};
    const nsrp_tuple tuple = to_tuple(reinterpret_cast<const uint8_t*>(bytes_.data()) + at_);
    at_ += kTupleBytes;
    if (!mask && !is_valid(tuple)) broken_ = true;
    return tuple;
  }
  uint32_t number() {
    if (!has(4)) return 0;
    uint32_t number = 0;
    for (int i = 0; i < 4; ++i) number = number << 8 | static_cast<uint8_t>(bytes_[at_++]);
    return number;
  }
  std::string name() {
    const size_t size = has(1) ? static_cast<uint8_t>(bytes_[at_++]) : 0;
    if (size > kLongestName || !has(size)) return broken_ = true, std::string();
    const std::string name = bytes_.substr(at_, size);
    at_ += size;
    const auto plain = [](char c) { return c > ' ' && c < 127; };
    if (!std::all_of(name.begin(), name.end(), plain)) broken_ = true;
    return name;
  }
  bool done() const { return !broken_ && at_ == bytes_.size(); }

 private:
  bool has(size_t size) {
    if (bytes_.size() - at_ < size) broken_ = true;
    return !broken_;
  }
  const std::string& bytes_;
  size_t at_ = 0;
  bool broken_ = false;
};

bool take_key(const std::string& key, char& kind, nsrp_tuple& tuple, nsrp_tuple& mask) {
  Taker taker(key);
  kind = taker.kind();
  tuple = taker.tuple();
  if (kind == kExpected) mask = taker.tuple(true);
  return (kind == kFlow || kind == kExpected) && taker.done();
}

bool take_value(const std::string& value, FlowHelper& helper) {
  Taker taker(value);
  const bool fits = taker.kind() == kFlow;
  helper.name = taker.name();
  for (SequenceShift& shift : helper.shifts) {
    shift.position = taker.number();
    shift.before = taker.number();
    shift.after = taker.number();
  }
  return fits && !helper.name.empty() && taker.done();
}

bool take_value(const std::string& value, Expectation& expectation) {
  Taker taker(value);
  const bool fits = taker.kind() == kExpected;
  expectation.master = taker.tuple();
  expectation.flags = taker.number();
  expectation.helper_class = taker.number();
  expectation.helper = taker.name();
  expectation.function = taker.name();
  if (const uint32_t translated = taker.number(); translated != 0) {
    if (translated > 2) return false;
    expectation.translation = {translated - 1, taker.tuple()};
  }
  return fits && taker.done();
}

bool valid_key(const std::string& key) {
  char kind;
  nsrp_tuple tuple, mask;
  return take_key(key, kind, tuple, mask);
}

bool valid_value(const std::string& value) {
  FlowHelper helper;
  Expectation expectation;
  return take_value(value, helper) || take_value(value, expectation);
}

}  // namespace

const ObjectRules kRmRules{ClassId::kRm, "rm", 16384, valid_key, valid_value};

std::string helper_key(const nsrp_tuple& flow) {
  std::string key(1, kFlow);
  put(key, flow);
  return key;
}

std::string expectation_key(const nsrp_tuple& tuple, const nsrp_tuple& mask) {
  std::string key(1, kExpected);
  put(key, tuple);
  put(key, mask);
  return key;
}

Object to_object(VsdId vsd, const FlowHelper& helper) {
  std::string value(1, kFlow);
  put(value, helper.name);
  for (const SequenceShift& shift : helper.shifts) {
    put(value, shift.position);
    put(value, shift.before);
    put(value, shift.after);
  }
  return {vsd, helper_key(helper.flow), value};
}

Object to_object(VsdId vsd, const Expectation& expectation) {
  std::string value(1, kExpected);
  put(value, expectation.master);
  put(value, expectation.flags);
  put(value, expectation.helper_class);
  put(value, expectation.helper);
  put(value, expectation.function);
  put(value, expectation.translation ? expectation.translation->direction + 1 : 0);
  if (expectation.translation) put(value, expectation.translation->to);
  return {vsd, expectation_key(expectation.tuple, expectation.mask), value};
}

std::optional<std::variant<FlowHelper, Expectation>> rm_object_of(const std::string& key, const std::string& value) {
  char kind;
  nsrp_tuple tuple, mask;
  if (!take_key(key, kind, tuple, mask)) return std::nullopt;
  if (kind == kFlow) {
    FlowHelper helper{tuple, {}, {}};
    if (!take_value(value, helper)) return std::nullopt;
    return helper;
  }
  Expectation expectation;
  expectation.tuple = tuple;
  expectation.mask = mask;
  if (!take_value(value, expectation)) return std::nullopt;
  return expectation;
}

}  // namespace nsrp::rto
