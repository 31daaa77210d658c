// SPDX-License-Identifier: Apache-2.0
// What each message of the peer does. A message out of its place closes the channel: the next connection begins with
// a cold sync, which puts everything right.
#include "rto/mirror_impl.h"

namespace nsrp::rto {

void Mirror::Impl::receive(Instant now, MirrorActions& out, Message message) {
  last_heard = now;
  if (!peer && !std::holds_alternative<Hello>(message)) return close(out, "the peer did not begin with an RTO hello");
  std::visit([&](auto&& m) { on(now, out, std::forward<decltype(m)>(m)); }, std::move(message));
}

void Mirror::Impl::on(Instant, MirrorActions& out, Hello message) {
  if (peer) return close(out, "the peer sent a second RTO hello");
  if (message.cluster != settings.cluster) {
    return close(out, "the peer is in cluster " + std::to_string(message.cluster.value) + ", this device in " +
                          std::to_string(settings.cluster.value));
  }
  if (message.unit == settings.unit) return close(out, "the peer has the unit id of this device");
  peer = message;
}

void Mirror::Impl::on(Instant now, MirrorActions& out, ReceiverReady) {
  if (!enabled()) return;
  control(out, GroupActive{});
  shared = {};  // it may have lost any of them
  sender.activate(now);
  for (ObjectStream& objects : streams) {
    if (peer->classes.contains(objects.rules().id)) objects.activate();
  }
}

void Mirror::Impl::on(Instant, MirrorActions&, GroupActive) {
  if (!enabled()) return;
  receiving = true;
  missing = 0;  // all of it comes now
}

void Mirror::Impl::on(Instant now, MirrorActions& out, GroupDetach) {
  receiving = sync_complete = false;
  missing = 0;
  incoming.reset();
  next_ready = now + settings.hb_interval;
  stop_sending(out);
  set_in_sync(out, false);
}

void Mirror::Impl::on(Instant, MirrorActions&, RtoHeartbeat) {}

bool Mirror::Impl::may_receive(MirrorActions& out) {
  if (!receiving) close(out, "the peer sent sessions before group-active");
  return receiving;
}

void Mirror::Impl::on(Instant, MirrorActions& out, SessionPut message) {
  if (!may_receive(out)) return;
  if (incoming) {
    incoming->received += message.sessions.size();
    if (!incoming->only) sync_received = incoming->received;
  }
  Install peers{{}, false}, last_words{{}, true};
  for (const Session& session : message.sessions) {
    audit.touch(session.key);
    if (!mastered.contains(VsdId{session.session.vsd})) {
      peers.sessions.push_back(session);
    } else if (incoming) {
      ++refused;  // two masters: the survivor's table is the truth
    } else {
      last_words.sessions.push_back(session);
    }
  }
  received += peers.sessions.size() + last_words.sessions.size();
  for (Install* install : {&peers, &last_words}) {
    if (install->sessions.empty()) continue;
    ++installing;
    out.push_back(std::move(*install));
  }
}

void Mirror::Impl::on(Instant, MirrorActions& out, SessionEnd message) {
  if (!may_receive(out)) return;
  Remove remove;
  Restate restate;
  for (const EndedSession& ended : message.sessions) {
    audit.touch(ended.key);
    if (mastered.contains(ended.vsd)) {
      ++refused;
      restate.keys.push_back(ended.key);
    } else {
      remove.keys.push_back(ended.key);
    }
  }
  if (!remove.keys.empty()) out.push_back(std::move(remove));
  if (!restate.keys.empty()) out.push_back(std::move(restate));
}

void Mirror::Impl::on(Instant, MirrorActions& out, SyncBegin message) {
  if (!may_receive(out)) return;
  set_in_sync(out, false);
  incoming = IncomingSync{message, message.vsds & mastered, 0, std::nullopt, 0};
  sync_complete = false;
  out.push_back(SyncStarted{});
  sync_total = message.total;
  sync_received = 0;
}

void Mirror::Impl::on(Instant, MirrorActions& out, RepairBegin message) {
  if (!may_receive(out)) return;
  if (incoming) return close(out, "the peer began to repair buckets during a cold sync");
  incoming =
      IncomingSync{{0, message.vsds}, message.vsds & mastered, 0, BucketSet(message.bits), message.buckets.size()};
  for (const uint32_t bucket : message.buckets) incoming->only->insert(bucket);
  out.push_back(SyncStarted{});
}

void Mirror::Impl::on(Instant now, MirrorActions& out, SyncEnd message) {
  if (!may_receive(out)) return;
  if (!incoming) return close(out, "the peer ended a cold sync it had not begun");
  if (incoming->received != message.sent) {
    return close(out, "the peer's cold sync had " + std::to_string(message.sent) + " sessions, of which " +
                          std::to_string(incoming->received) + " arrived");
  }
  const VsdSet taken = incoming->begin.vsds - incoming->refused;
  out.push_back(SyncFinished{taken, incoming->only});
  if (incoming->only) {
    audit.repaired(incoming->repairs);
    incoming.reset();
    return lack(out, message.withheld);
  }
  shared = shared | taken;
  missed = (missed - taken) | incoming->refused;
  incoming.reset();
  if (!(missed - mastered).empty()) {  // mastered when it began, lost since: its records were refused
    missed = missed & mastered;
    return request_sync(out);
  }
  missing += message.withheld;
  sync_complete = true;
  audit.in_sync(now);
  sync_settled(out);
}

ObjectStream* Mirror::Impl::stream(ClassId id) {
  for (ObjectStream& objects : streams) {
    if (objects.rules().id == id) return &objects;
  }
  return nullptr;
}

template <class ObjectMessage>
void Mirror::Impl::receive_object(MirrorActions& out, ObjectMessage message) {
  if (!may_receive(out)) return;
  const ClassId id = message.id;
  ObjectStream* objects = stream(id);
  if (objects == nullptr) return close(out, "the peer sent objects of a class this device does not have");
  ObjectStream::Result result = objects->receive(std::move(message));
  if (!result.broken.empty()) return close(out, "the peer sent " + result.broken);
  if (!result.apply.empty()) out.push_back(ApplyObjects{id, std::move(result.apply)});
  if (!result.withdraw.empty()) out.push_back(WithdrawObjects{id, std::move(result.withdraw)});
}

template void Mirror::Impl::receive_object(MirrorActions&, ObjectPut);
template void Mirror::Impl::receive_object(MirrorActions&, ObjectEnd);
template void Mirror::Impl::receive_object(MirrorActions&, ObjectSync);
template void Mirror::Impl::receive_object(MirrorActions&, ObjectSyncEnd);

void Mirror::Impl::on(Instant, MirrorActions& out, Barrier message) {
  if (!may_receive(out)) return;
  if (installing == 0) return control(out, BarrierAck{message.id});
  if (unacknowledged.size() >= kMaxControlMessages) {
    return close(out, "the peer does not wait for the answers to its barriers");
  }
  unacknowledged.push_back(message.id);
}

void Mirror::Impl::on(Instant, MirrorActions& out, BarrierAck message) {
  if (!sender.acknowledge(message.id)) return close(out, "the peer acknowledged a barrier that was not sent");
  out.push_back(BarrierDone{message.id, true});
}

}  // namespace nsrp::rto
