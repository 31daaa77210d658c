// SPDX-License-Identifier: Apache-2.0
// Walks along the grammar word by word and keeps the forms that still fit. Parsing, completion and `?` are this walk.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/grammar.h"

namespace nsrp::config {

class Matching {
 public:
  Matching();

  // Takes the next word. On error the walk stays where it was.
  Status feed(std::string_view word);

  const std::vector<const Form*>& live() const { return live_; }
  const Words& words() const { return words_; }  // keywords in full, values in their one spelling
  const Words& shown() const { return shown_; }  // the same with passwords masked
  size_t depth() const { return words_.size(); }

  const Form* complete() const;                         // the form that ends here; nullptr: none
  std::vector<std::string_view> next_keywords() const;  // sorted
  std::vector<const Variable*> next_variables() const;
  std::vector<const Variable*> offered_variables() const;  // without those that another includes
  std::vector<std::string> expected_next() const;          // for "allowed: …"
  std::string after() const;                               // ` after "set nsrp"`; "" at the beginning

 private:
  Result<std::string> match_keyword(const std::string& word) const;  // "": none fits
  Status feed_variable(const std::string& word);
  Status refuse(const std::string& word) const;
  bool may_be_secret() const;
  template <class Fits>
  void advance(std::string word, std::string shown, Fits fits);

  std::vector<const Form*> live_;
  Words words_, shown_;
};

// The values of a command that a Matching has walked to its end.
Values values_of(const Form& form, const Words& words);

}  // namespace nsrp::config
