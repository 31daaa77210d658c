// SPDX-License-Identifier: Apache-2.0
// Messages into bytes.
#include <utility>

#include "rto/codec_layout.h"
#include "rto/tuple.h"

namespace nsrp::rto {
namespace {

using namespace wire;

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
    const TupleBytes bytes = to_bytes(t);
    raw(bytes.data(), bytes.size());
  }

 private:
  std::vector<uint8_t>& out_;
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
  void operator()(const AuditBegin& m) {
    out.header(Type::kAuditBegin, kAuditBeginBytes, 0);
    out.number(m.round);
    bits(m.bits);
    out.number(m.vsds.bits());
  }
  void operator()(const AuditDigests& m) {
    out.header(Type::kAuditDigests, kAuditDigestsHeadBytes + m.digests.size() * sizeof(uint64_t), m.digests.size());
    out.number(m.round);
    out.number(m.first);
    for (const uint64_t digest : m.digests) out.number(digest);
  }
  void operator()(const AuditResult& m) {
    out.header(Type::kAuditResult, kAuditResultHeadBytes + m.differing.size() * sizeof(uint32_t), m.differing.size());
    out.number(m.round);
    out.number(m.compared);
    out.number(m.oldest_ms);
    for (const uint32_t bucket : m.differing) out.number(bucket);
  }
  void operator()(const RepairBegin& m) {
    out.header(Type::kRepairBegin, kRepairHeadBytes + m.buckets.size() * sizeof(uint32_t), m.buckets.size());
    bits(m.bits);
    out.number(m.vsds.bits());
    for (const uint32_t bucket : m.buckets) out.number(bucket);
  }
  void operator()(const Barrier& m) { one_number(Type::kBarrier, m.id); }
  void operator()(const BarrierAck& m) { one_number(Type::kBarrierAck, m.id); }

 private:
  void object_class(ClassId id) { small(static_cast<uint8_t>(id)); }
  void bits(uint8_t value) { small(value); }
  void small(uint8_t value) {
    out.number(value);
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

}  // namespace

void append(std::vector<uint8_t>& out, const Message& message) {
  std::visit(Encoder{Writer(out)}, message);
}

}  // namespace nsrp::rto
