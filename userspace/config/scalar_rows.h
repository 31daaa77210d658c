// SPDX-License-Identifier: Apache-2.0
// Apply and print functions for the many rows whose command sets one member of Config and nothing else.
//
//   {"set nsrp arp <announcements>", …, assign<&Config::arp>, shown<&Config::arp>},
//   {"unset nsrp arp",               …, restore<&Config::arp>},
#pragma once

#include <charconv>
#include <string>
#include <type_traits>

#include "config/grammar.h"

namespace nsrp::config {

inline void from_word(const std::string& word, std::string& value) {
  value = word;
}
inline void from_word(const std::string& word, Secret& value) {
  value.text = word;
}
inline void from_word(const std::string& word, uint8_t& value) {
  std::from_chars(word.data(), word.data() + word.size(), value);
}
inline void from_word(const std::string& word, uint32_t& value) {
  std::from_chars(word.data(), word.data() + word.size(), value);
}
inline void from_word(const std::string& word, milliseconds& value) {
  milliseconds::rep count = 0;
  std::from_chars(word.data(), word.data() + word.size(), count);
  value = milliseconds(count);
}

inline std::string to_word(const std::string& value) {
  return value;
}
inline std::string to_word(const Secret& value) {
  return value.text;
}
inline std::string to_word(uint8_t value) {
  return std::to_string(value);
}
inline std::string to_word(uint32_t value) {
  return std::to_string(value);
}
inline std::string to_word(milliseconds value) {
  return std::to_string(value.count());
}

template <auto Member>
Status assign(Config& config, const Values& values) {
  from_word(values.only(), config.*Member);
  return {};
}

template <auto Member, bool Value>
Status assign_switch(Config& config, const Values&) {
  config.*Member = Value;
  return {};
}

template <auto Member>
Status restore(Config& config, const Values&) {
  config.*Member = Config{}.*Member;
  return {};
}

// Defaults are not printed.
template <auto Member>
Printed shown(const Config& config) {
  if (config.*Member == Config{}.*Member) return {};
  if constexpr (std::is_same_v<decltype(config.*Member), const bool&>) {
    return {{}};
  } else {
    return {{to_word(config.*Member)}};
  }
}

}  // namespace nsrp::config
