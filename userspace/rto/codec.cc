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
};

constexpr size_t kHelloBytes = 20;
constexpr size_t kSyncBeginBytes = 16;
constexpr uint8_t kHelloSync = 1;
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

// Reads a body whose length has been checked against its type.
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
    out.number(uint16_t{0});
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
  void operator()(const SyncEnd& m) { one_number(Type::kSyncEnd, m.sent); }
  void operator()(const Barrier& m) { one_number(Type::kBarrier, m.id); }
  void operator()(const BarrierAck& m) { one_number(Type::kBarrierAck, m.id); }

 private:
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
  if ((flags & ~kHelloSync) != 0 || in.number<uint16_t>() != 0) return fail("an RTO hello has unknown flags");
  hello.sync = flags == kHelloSync;
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
    case Type::kSyncEnd:
      return SyncEnd{in.number<uint64_t>()};
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
