// SPDX-License-Identifier: Apache-2.0
// Bytes into messages.
#include <algorithm>
#include <cstring>
#include <utility>

#include "rto/codec_layout.h"
#include "rto/tuple.h"

namespace nsrp::rto {
namespace {

using namespace wire;

// Reads a body whose length has been checked against its type; where a length depends on the content, left() tells.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  template <class T>
  T number() {
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) value = value << 8 | bytes_[at_++];
    return static_cast<T>(value);
  }
  void raw(void* data, size_t size) {
    std::memcpy(data, bytes_.data() + at_, size);
    at_ += size;
  }
  size_t left() const { return bytes_.size() - at_; }
  std::string text(size_t size) {
    std::string bytes(size, '\0');
    raw(bytes.data(), size);
    return bytes;
  }
  nsrp_tuple tuple() {
    at_ += kTupleBytes;
    return to_tuple(bytes_.data() + at_ - kTupleBytes);
  }

 private:
  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
};

struct Header {
  uint32_t length;
  Type type;
  uint16_t version;
  uint32_t count;
};

Header read_header(std::span<const uint8_t> bytes) {
  Reader in(bytes);
  Header header{};
  header.length = in.number<uint32_t>();
  header.type = static_cast<Type>(in.number<uint16_t>());
  header.version = in.number<uint16_t>();
  header.count = in.number<uint32_t>();
  return header;
}

// The one length a body of this type and count may have; nullopt for an unknown type or a count out of range.
std::optional<size_t> body_bytes(const Header& header) {
  const auto fixed = [&](size_t bytes) { return header.count == 0 ? std::optional(bytes) : std::nullopt; };
  const auto list = [&](size_t each) {
    const bool in_range = header.count >= 1 && header.count <= kMaxSessionsPerMessage;
    return in_range ? std::optional(header.count * each) : std::nullopt;
  };
  const auto buckets = [&](size_t head, size_t fewest, size_t most, size_t each) {
    const bool in_range = header.count >= fewest && header.count <= most;
    return in_range ? std::optional(head + header.count * each) : std::nullopt;
  };
  // Objects are of any length; whether they fill the body exactly shows when they are read.
  const auto objects = [&] {
    const bool in_range = header.count >= 1 && header.count <= kMaxObjectsPerMessage &&
                          header.length >= kObjectClassBytes + header.count * (kObjectHeadBytes + 1);
    return in_range ? std::optional<size_t>(header.length) : std::nullopt;
  };
  switch (header.type) {
    case Type::kHello:
      return fixed(kHelloBytes);
    case Type::kReceiverReady:
    case Type::kGroupActive:
    case Type::kGroupDetach:
    case Type::kHeartbeat:
      return fixed(0);
    case Type::kSessionPut:
      return list(kSessionBytes);
    case Type::kSessionEnd:
      return list(kEndedSessionBytes);
    case Type::kSyncBegin:
      return fixed(kSyncBeginBytes);
    case Type::kSyncEnd:
      return fixed(kSyncEndBytes);
    case Type::kObjectSync:
      return fixed(kObjectSyncBytes);
    case Type::kObjectSyncEnd:
      return fixed(kObjectClassBytes);
    case Type::kObjectPut:
    case Type::kObjectEnd:
      return objects();
    case Type::kAuditBegin:
      return fixed(kAuditBeginBytes);
    case Type::kAuditDigests:
      return buckets(kAuditDigestsHeadBytes, 1, kMaxDigestsPerMessage, sizeof(uint64_t));
    case Type::kAuditResult:
      return buckets(kAuditResultHeadBytes, 0, kMaxBucketsPerMessage, sizeof(uint32_t));
    case Type::kRepairBegin:
      return buckets(kRepairHeadBytes, 1, kMaxBucketsPerMessage, sizeof(uint32_t));
    case Type::kBarrier:
    case Type::kBarrierAck:
      return fixed(sizeof(uint64_t));
  }
  return std::nullopt;
}

Status check(const Header& header) {
  if (header.version != kVersion) {
    return fail("the peer speaks version " + std::to_string(header.version) + " of the RTO protocol, this device " +
                std::to_string(kVersion));
  }
  const std::optional<size_t> expected = body_bytes(header);
  if (!expected || *expected != header.length || header.length > kMaxBodyBytes) {
    return fail("an RTO message of type " + std::to_string(static_cast<unsigned>(header.type)) + " has length " +
                std::to_string(header.length) + " and count " + std::to_string(header.count) +
                ", which no such message has");
  }
  return {};
}

Result<Message> read_hello(Reader in) {
  Hello hello;
  hello.unit = UnitId{in.number<uint64_t>()};
  hello.boot_epoch = in.number<uint64_t>();
  hello.cluster = ClusterId{in.number<uint8_t>()};
  const auto flags = in.number<uint8_t>();
  if ((flags & ~kHelloSync) != 0) return fail("an RTO hello has unknown flags");
  hello.sync = flags == kHelloSync;
  hello.classes = ClassSet::from_bits(in.number<uint16_t>());
  return hello;
}

Result<Message> read_sessions(Reader in, size_t count) {
  SessionPut message;
  message.sessions.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    Session session{};
    session.key = in.tuple();
    session.session.reply = in.tuple();
    session.session.generation = in.number<uint32_t>();
    session.session.ct_status = in.number<uint32_t>();
    session.session.ct_mark = in.number<uint32_t>();
    session.session.timeout_s = in.number<uint32_t>();
    session.session.tcp_state = in.number<uint8_t>();
    session.session.vsd = in.number<uint8_t>();
    if (in.number<uint16_t>() != 0 || !is_valid(session)) return fail("an RTO message holds a malformed session");
    message.sessions.push_back(session);
  }
  return message;
}

Result<Message> read_ended(Reader in, size_t count) {
  SessionEnd message;
  message.sessions.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    EndedSession ended{in.tuple(), VsdId{in.number<uint8_t>()}};
    const bool reserved = in.number<uint8_t>() != 0 || in.number<uint16_t>() != 0;
    if (reserved || ended.vsd.value >= NSRP_MAX_VSDS || !is_valid(ended.key)) {
      return fail("an RTO message ends a malformed session");
    }
    message.sessions.push_back(ended);
  }
  return message;
}

// A number of one byte with three reserved ones behind it.
std::optional<uint8_t> read_small(Reader& in) {
  const auto value = in.number<uint8_t>();
  const bool reserved = in.number<uint8_t>() != 0 || in.number<uint16_t>() != 0;
  return reserved ? std::nullopt : std::optional(value);
}

Result<ClassId> read_class(Reader& in) {
  const std::optional<uint8_t> id = read_small(in);
  if (!id || *id == static_cast<uint8_t>(ClassId::kSession) || *id >= kMaxClasses) {
    return fail("an RTO message names no class of objects");
  }
  return static_cast<ClassId>(*id);
}

// Objects, or with `ends` their names only, that fill the body exactly.
Result<std::vector<Object>> read_objects(Reader& in, size_t count, bool ends) {
  std::vector<Object> objects;
  for (size_t i = 0; i < count; ++i) {
    if (in.left() < kObjectHeadBytes) return fail("an RTO message ends within an object");
    Object object;
    object.vsd = VsdId{in.number<uint8_t>()};
    const size_t key = in.number<uint8_t>(), value = in.number<uint16_t>();
    if (object.vsd.value >= NSRP_MAX_VSDS || key == 0 || (value == 0) != ends || in.left() < key + value) {
      return fail("an RTO message holds a malformed object");
    }
    object.key = in.text(key);
    object.value = in.text(value);
    objects.push_back(std::move(object));
  }
  if (in.left() != 0) return fail("an RTO message is longer than its objects");
  return objects;
}

Result<Message> read_object_message(const Header& header, Reader in) {
  const Result<ClassId> id = read_class(in);
  if (!id) return fail(id.error());
  if (header.type == Type::kObjectSync) return ObjectSync{*id, VsdSet::from_bits(in.number<uint64_t>())};
  if (header.type == Type::kObjectSyncEnd) return ObjectSyncEnd{*id};
  Result<std::vector<Object>> objects = read_objects(in, header.count, header.type == Type::kObjectEnd);
  if (!objects) return fail(objects.error());
  if (header.type == Type::kObjectPut) return ObjectPut{*id, std::move(*objects)};
  ObjectEnd end{*id, {}};
  for (Object& object : *objects) end.objects.push_back({object.vsd, std::move(object.key)});
  return end;
}

Result<std::vector<uint32_t>> read_buckets(Reader& in, size_t count, unsigned bits) {
  std::vector<uint32_t> buckets;
  for (size_t i = 0; i < count; ++i) {
    buckets.push_back(in.number<uint32_t>());
    if (buckets.back() >> bits != 0) return fail("an RTO message names a bucket there is not");
  }
  return buckets;
}

Result<Message> read_audit_begin(Reader in) {
  AuditBegin begin{in.number<uint32_t>(), 0, {}};
  const std::optional<uint8_t> bits = read_small(in);
  if (!bits || *bits > kMaxBucketBits) return fail("an RTO audit has a malformed beginning");
  begin.bits = *bits;
  begin.vsds = VsdSet::from_bits(in.number<uint64_t>());
  return begin;
}

Result<Message> read_repair_begin(Reader in, size_t count) {
  const std::optional<uint8_t> bits = read_small(in);
  if (!bits || *bits > kMaxBucketBits) return fail("an RTO repair has a malformed beginning");
  RepairBegin begin{*bits, VsdSet::from_bits(in.number<uint64_t>()), {}};
  Result<std::vector<uint32_t>> buckets = read_buckets(in, count, begin.bits);
  if (!buckets) return fail(buckets.error());
  begin.buckets = std::move(*buckets);
  return begin;
}

Result<Message> read_digests(Reader in, size_t count) {
  AuditDigests digests;
  digests.round = in.number<uint32_t>();
  digests.first = in.number<uint32_t>();
  for (size_t i = 0; i < count; ++i) digests.digests.push_back(in.number<uint64_t>());
  return digests;
}

Result<Message> read_audit_result(Reader in, size_t count) {
  AuditResult result;
  result.round = in.number<uint32_t>();
  result.compared = in.number<uint32_t>();
  result.oldest_ms = in.number<uint64_t>();
  Result<std::vector<uint32_t>> differing = read_buckets(in, count, kMaxBucketBits);
  if (!differing) return fail(differing.error());
  result.differing = std::move(*differing);
  return result;
}

Result<Message> read_audit_message(const Header& header, Reader in) {
  switch (header.type) {
    case Type::kAuditBegin:
      return read_audit_begin(in);
    case Type::kAuditDigests:
      return read_digests(in, header.count);
    case Type::kAuditResult:
      return read_audit_result(in, header.count);
    default:
      return read_repair_begin(in, header.count);
  }
}

Result<Message> read_body(const Header& header, std::span<const uint8_t> body) {
  Reader in(body);
  switch (header.type) {
    case Type::kHello:
      return read_hello(in);
    case Type::kReceiverReady:
      return ReceiverReady{};
    case Type::kGroupActive:
      return GroupActive{};
    case Type::kGroupDetach:
      return GroupDetach{};
    case Type::kHeartbeat:
      return RtoHeartbeat{};
    case Type::kSessionPut:
      return read_sessions(in, header.count);
    case Type::kSessionEnd:
      return read_ended(in, header.count);
    case Type::kSyncBegin: {
      const auto total = in.number<uint64_t>();
      return SyncBegin{total, VsdSet::from_bits(in.number<uint64_t>())};
    }
    case Type::kSyncEnd: {
      const auto sent = in.number<uint64_t>();
      return SyncEnd{sent, in.number<uint64_t>()};
    }
    case Type::kObjectPut:
    case Type::kObjectEnd:
    case Type::kObjectSync:
    case Type::kObjectSyncEnd:
      return read_object_message(header, in);
    case Type::kAuditBegin:
    case Type::kAuditDigests:
    case Type::kAuditResult:
    case Type::kRepairBegin:
      return read_audit_message(header, in);
    case Type::kBarrier:
      return Barrier{in.number<uint64_t>()};
    case Type::kBarrierAck:
      return BarrierAck{in.number<uint64_t>()};
  }
  return fail("an RTO message has an unknown type");
}

bool tail_is_zero(const uint8_t (&address)[16]) {
  return std::all_of(address + 4, address + 16, [](uint8_t byte) { return byte == 0; });
}

}  // namespace

bool is_valid(const nsrp_tuple& tuple) {
  if (tuple.family == NSRP_IPV6) return true;
  return tuple.family == NSRP_IPV4 && tail_is_zero(tuple.saddr) && tail_is_zero(tuple.daddr);
}

bool is_valid(const Session& session) {
  const nsrp_session& record = session.session;
  return is_valid(session.key) && is_valid(record.reply) && session.key.family == record.reply.family &&
         session.key.proto == record.reply.proto && record.vsd < NSRP_MAX_VSDS && record.tcp_state <= kLastTcpState;
}

void Decoder::feed(std::span<const uint8_t> bytes) {
  if (error_) return;
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(std::exchange(read_, 0)));
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<Message>> Decoder::next() {
  if (error_) return fail(*error_);
  const std::span<const uint8_t> waiting = std::span(buffer_).subspan(read_);
  if (waiting.size() < kHeaderBytes) return std::nullopt;
  const Header header = read_header(waiting);
  if (Status status = check(header); !status) {
    error_ = status.error();
    return fail(*error_);
  }
  if (waiting.size() < kHeaderBytes + header.length) return std::nullopt;
  Result<Message> message = read_body(header, waiting.subspan(kHeaderBytes, header.length));
  if (!message) {
    error_ = message.error();
    return fail(*error_);
  }
  read_ += kHeaderBytes + header.length;
  return std::optional(std::move(*message));
}

}  // namespace nsrp::rto
