// SPDX-License-Identifier: Apache-2.0
// The types of core as JSON and back. Ours only: nobody else includes it. Reading throws nlohmann's exceptions, which
// parse_case() turns into a sentence.
#pragma once

#include <nlohmann/json.hpp>

#include "golden/recorder.h"

namespace nsrp::golden {

using Json = nlohmann::ordered_json;

// When a Member of a case is made. Any moment would do: only differences count.
inline constexpr Instant kOrigin{seconds(1'000'000)};

// A time or duration that can be reckoned with: at most 10^15, eleven days of nanoseconds.
int64_t reckonable(const Json& json);

Json encode(const core::Heartbeat& heartbeat);
core::Heartbeat heartbeat_from(const Json& json);
Json encode(const core::LinkSet& links);
core::LinkSet links_from(const Json& json);
Json encode(UnitId unit);
UnitId unit_from(const Json& json);

Json encode(const core::MemberSettings& settings);
core::MemberSettings settings_from(const Json& json);
Json encode(const Beginning& beginning);
Beginning beginning_from(const Json& json);

Json encode(const Input& input);
Input input_from(const Json& json);

Json encode(const Result<core::Actions>& answer, Instant origin);

}  // namespace nsrp::golden
