// SPDX-License-Identifier: Apache-2.0
// The RTO thread between mirror, channel, sessions and the other classes: what each says reaches the others here.
#include <algorithm>
#include <utility>
#include <variant>

#include "daemon/rto_worker_impl.h"
#include "io/clock.h"

namespace nsrp::daemon {

void RtoWorker::Impl::open_channel() {
  channel =
      std::make_unique<RtoChannel>(*loop, RtoChannel::Handlers{
                                              .connected =
                                                  [this] {
                                                    carry_out(mirror.on_connected(io::now()));
                                                    pump();
                                                  },
                                              .received =
                                                  [this](std::span<const uint8_t> bytes) {
                                                    carry_out(mirror.on_bytes(io::now(), bytes));
                                                    pump();
                                                  },
                                              .has_room = [this] { pump(); },
                                              .disconnected =
                                                  [this] {
                                                    sessions->sync_aborted();
                                                    carry_out(mirror.on_disconnected(io::now()));
                                                    pump();
                                                  },
                                              .report = [this](const std::string& text) { callbacks.on_event(text); },
                                          });
}

RtoClass* RtoWorker::Impl::class_of(rto::ClassId id) {
  const auto found = std::find_if(classes.begin(), classes.end(), [&](auto& each) { return each->rules().id == id; });
  return found->get();  // the mirror speaks of no other
}

// Hands out what there is room for, and sees to the mirror's next deadline.
void RtoWorker::Impl::pump() {
  while (channel->connected() && channel->room() > 0 && mirror.wants_write()) {
    rto::MirrorActions actions = mirror.on_writable(io::now(), channel->room());
    if (actions.empty()) break;
    carry_out(std::move(actions));
  }
  if (deadline_timer != 0) loop->cancel(std::exchange(deadline_timer, 0));
  if (const Instant deadline = mirror.next_deadline(); deadline != Instant::max()) {
    deadline_timer = loop->call_at(deadline, [this] {
      deadline_timer = 0;
      carry_out(mirror.on_time(io::now()));
      pump();
    });
  }
  publish();
}

void RtoWorker::Impl::carry_out(rto::MirrorActions actions) {
  for (rto::MirrorAction& action : actions) {
    std::visit([this](auto& wanted) { carry_out(wanted); }, action);
  }
}

void RtoWorker::Impl::carry_out(rto::Install& install) {
  carry_out(mirror.on_installed(sessions->install(install)));
  complain_of_failed_sessions();
}

// A table that cannot be read is not an empty one: the peer would remove what it was not sent.
void RtoWorker::Impl::carry_out(rto::ReadSessions& read) {
  if (const Status done = sessions->read(read); !done) channel->close(done.error().message);
}

void RtoWorker::Impl::carry_out(rto::ReadForAudit& read) {
  const Result<RtoSessions::AuditStep> step = sessions->read(read);
  if (!step) return channel->close(step.error().message);
  carry_out(mirror.on_audit_read(io::now(), read.own, step->sessions, step->at_end));
}

void RtoWorker::Impl::carry_out(rto::BarrierDone& done) {
  if ((done.id & kAcknowledgement) == 0) return callbacks.on_barrier_done(done.id);
  callbacks.on_acknowledged(done.id & ~kAcknowledgement, done.by_peer);
}

void RtoWorker::Impl::carry_out(rto::AuditDiffers& found) {
  callbacks.on_event("audit=differing buckets=" + std::to_string(found.buckets) + " repair=asked");
}

}  // namespace nsrp::daemon
