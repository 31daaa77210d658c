// SPDX-License-Identifier: Apache-2.0
#include "rto/codec.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace nsrp::rto {
namespace {

enum class Type : uint16_t {
  kHello = 1,
  kReceiverReady = 2,
  kGroupActive = 3,
  kGroupDetach = 4,
  kHeartbeat = 5,
  kSessionPut = 6,
  kSessionEnd = 7,
  kSyncBegin = 8,
  kSyncEnd = 9,
  kBarrier = 10,
  kBarrierAck = 11,
  kObjectPut = 12,
  kObjectEnd = 13,
  kObjectSync = 14,
  kObjectSyncEnd = 15,
};

constexpr size_t kHelloBytes = 20;
constexpr size_t kSyncBeginBytes = 16;
constexpr size_t kSyncEndBytes = 16;
constexpr uint8_t kHelloSync = 1;
constexpr uint8_t kMaxClasses = 16;
constexpr uint8_t kLastTcpState = 9;  // TCP_CONNTRACK_SYN_SENT2

static_assert(kSessionBytes * kMaxSessionsPerMessage <= kMaxBodyBytes);

class Writer {
 public:
  explicit Writer(std::vector<uint8_t>& out) : out_(out) {}

  template <class T>
  void number(T value) {
    for (size_t i = sizeof(T); i-- > 0;) out_.push_back(static_cast<uint8_t>(uint64_t{value} >> (8 * i)));
  }
  void raw(const void* data, size_t size) {
    const auto* bytes = static_cast<const uint8_t*>(data);
    out_.insert(out_.end(), bytes, bytes + size);
  }
  void header(Type type, size_t body_bytes, size_t count) {
    number(static_cast<uint32_t>(body_bytes));
    number(static_cast<uint16_t>(type));
    number(kVersion);
    number(static_cast<uint32_t>(count));
  }
  void tuple(const nsrp_tuple& t) {
    raw(t.saddr, sizeof t.saddr);
    raw(t.daddr, sizeof t.daddr);
    raw(&t.sport, sizeof t.sport);  // in network order already
    raw(&t.dport, sizeof t.dport);
    number(t.proto);
    number(t.family);
    number(t.zone);
  }

 private:
  std::vector<uint8_t>& out_;
};

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
    nsrp_tuple t{};
    raw(t.saddr, sizeof t.saddr);
    raw(t.daddr, sizeof t.daddr);
    raw(&t.sport, sizeof t.sport);
    raw(&t.dport, sizeof t.dport);
    t.proto = number<uint8_t>();
    t.family = number<uint8_t>();
    t.zone = number<uint16_t>();
    return t;
  }

 private:
  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
};

struct Encoder {
  Writer out;

  void operator()(const Hello& m) {
    out.header(Type::kHello, kHelloBytes, 0);
    out.number(m.unit.value);
    out.number(m.boot_epoch);
    out.number(m.cluster.value);
    out.number(m.sync ? kHelloSync : uint8_t{0});
    out.number(m.classes.bits());
  }
  void operator()(const ReceiverReady&) { out.header(Type::kReceiverReady, 0, 0); }
  void operator()(const GroupActive&) { out.header(Type::kGroupActive, 0, 0); }
  void operator()(const GroupDetach&) { out.header(Type::kGroupDetach, 0, 0); }
  void operator()(const RtoHeartbeat&) { out.header(Type::kHeartbeat, 0, 0); }
  void operator()(const SessionPut& m) {
    out.header(Type::kSessionPut, m.sessions.size() * kSessionBytes, m.sessions.size());
    for (const Session& session : m.sessions) put(session);
  }
  void operator()(const SessionEnd& m) {
    out.header(Type::kSessionEnd, m.sessions.size() * kEndedSessionBytes, m.sessions.size());
    for (const EndedSession& ended : m.sessions) {
      out.tuple(ended.key);
      out.number(ended.vsd.value);
      out.number(uint8_t{0});
      out.number(uint16_t{0});
    }
  }
  void operator()(const SyncBegin& m) {
    out.header(Type::kSyncBegin, kSyncBeginBytes, 0);
    out.number(m.total);
    out.number(m.vsds.bits());
  }
  void operator()(const SyncEnd& m) {
    out.header(Type::kSyncEnd, kSyncEndBytes, 0);
    out.number(m.sent);
    out.number(m.withheld);
  }
  void operator()(const ObjectPut& m) {
    size_t bytes = kObjectClassBytes;
    for (const Object& object : m.objects) bytes += kObjectHeadBytes + object.key.size() + object.value.size();
    out.header(Type::kObjectPut, bytes, m.objects.size());
    object_class(m.id);
    for (const Object& o : m.objects) object(o.vsd, o.key, o.value);
  }
  void operator()(const ObjectEnd& m) {
    size_t bytes = kObjectClassBytes;
    for (const EndedObject& ended : m.objects) bytes += kObjectHeadBytes + ended.key.size();
    out.header(Type::kObjectEnd, bytes, m.objects.size());
    object_class(m.id);
    for (const EndedObject& ended : m.objects) object(ended.vsd, ended.key, {});
  }
  void operator()(const ObjectSync& m) {
    out.header(Type::kObjectSync, kObjectSyncBytes, 0);
    object_class(m.id);
    out.number(m.vsds.bits());
  }
  void operator()(const ObjectSyncEnd& m) {
    out.header(Type::kObjectSyncEnd, kObjectClassBytes, 0);
    object_class(m.id);
  }
  void operator()(const Barrier& m) { one_number(Type::kBarrier, m.id); }
  void operator()(const BarrierAck& m) { one_number(Type::kBarrierAck, m.id); }

 private:
  void object_class(ClassId id) {
    out.number(static_cast<uint8_t>(id));
    out.number(uint8_t{0});
    out.number(uint16_t{0});
  }
  void object(VsdId vsd, const std::string& key, const std::string& value) {
    out.number(vsd.value);
    out.number(static_cast<uint8_t>(key.size()));
    out.number(static_cast<uint16_t>(value.size()));
    out.raw(key.data(), key.size());
    out.raw(value.data(), value.size());
  }
  void one_number(Type type, uint64_t value) {
    out.header(type, sizeof value, 0);
    out.number(value);
  }
  void put(const Session& session) {
    const nsrp_session& record = session.session;
    out.tuple(session.key);
    out.tuple(record.reply);
    out.number(record.generation);
    out.number(record.ct_status);
    out.number(record.ct_mark);
    out.number(record.timeout_s);
    out.number(record.tcp_state);
    out.number(record.vsd);
    out.number(uint16_t{0});
  }
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

Result<ClassId> read_class(Reader& in) {
  const auto id = in.number<uint8_t>();
  const bool reserved = in.number<uint8_t>() != 0 || in.number<uint16_t>() != 0;
  if (reserved || id == static_cast<uint8_t>(ClassId::kSession) || id >= kMaxClasses) {
    return fail("an RTO message names no class of objects");
  }
  return static_cast<ClassId>(id);
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

void append(std::vector<uint8_t>& out, const Message& message) {
  std::visit(Encoder{Writer(out)}, message);
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
