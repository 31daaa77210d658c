// SPDX-License-Identifier: Apache-2.0
// Whatever arrives on an HA link: the decoders survive it, and what they accept is what the encoders would have sent.
#include <algorithm>
#include <cstdlib>

#include "wire/bodies.h"

namespace {

using namespace nsrp;

template <class Body>
void same_again(const std::optional<Body>& body, wire::ByteView bytes) {
  if (!body) return;
  const wire::Bytes again = wire::encode(*body);
  if (!std::equal(again.begin(), again.end(), bytes.begin(), bytes.end())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto frame = wire::parse_frame({data, size});
  if (!frame) {
    if (frame.error() != wire::Drop::kMalformed && frame.error() != wire::Drop::kWrongVersion) std::abort();
    return 0;
  }
  wire::Bytes again = wire::encode_frame(frame->head, frame->body);
  std::copy(frame->tag.begin(), frame->tag.end(), again.end() - static_cast<std::ptrdiff_t>(frame->tag.size()));
  if (!std::equal(again.begin(), again.end(), data, data + size)) std::abort();
  same_again(wire::decode_heartbeat(frame->head, frame->body), frame->body);
  same_again(wire::decode_probe(frame->body), frame->body);
  same_again(wire::decode_challenge(frame->body), frame->body);
  same_again(wire::decode_challenge_answer(frame->body), frame->body);
  return 0;
}
