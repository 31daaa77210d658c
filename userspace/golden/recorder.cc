// SPDX-License-Identifier: Apache-2.0
#include "golden/recorder.h"

#include <utility>

#include "golden/encoding.h"

namespace nsrp::golden {

Recorder::Recorder(const Beginning& beginning) : origin_(beginning.created), lines_(encode(beginning).dump() + "\n") {}

void Recorder::record(Instant now, const Input& input, const Result<core::Actions>& answer) {
  const Json line{{"at_ns", (now - origin_).count()}, {"input", encode(input)}, {"answer", encode(answer, origin_)}};
  lines_ += line.dump() + "\n";
}

std::string Recorder::take_lines() {
  return std::exchange(lines_, {});
}

}  // namespace nsrp::golden
