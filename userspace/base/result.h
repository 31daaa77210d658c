// SPDX-License-Identifier: Apache-2.0
// Errors are values: a Result holds what was asked for, or a sentence an operator can act on.
//
//   Result<Prefix> p = Prefix::parse(word);
//   if (!p) return fail(p.error());
//
// Exceptions remain for programming errors and for memory running out.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace nsrp {

struct Error {
  std::string message;  // one sentence, without a final newline; never holds a secret
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(std::string message) {
  return tl::unexpected(Error{std::move(message)});
}
inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected(std::move(error));
}

}  // namespace nsrp
