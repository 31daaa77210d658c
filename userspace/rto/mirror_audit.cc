// SPDX-License-Identifier: Apache-2.0
// Audits: this device's sessions at the peer, and the peer's here. A member that is not in sync knows that it differs
// and does not compare.
#include "rto/mirror_impl.h"

namespace nsrp::rto {

MirrorActions Mirror::on_audit_read(Instant now, bool own, std::span<const Session> sessions, bool at_end) {
  MirrorActions out;
  if (own) {
    impl_->sender.audit_read(now, sessions, at_end);
  } else {
    impl_->audit.read(now, sessions, at_end);
    impl_->finish_audit(now, out);
  }
  return out;
}

void Mirror::Impl::audit_tick(Instant now, MirrorActions& out) {
  if (const std::optional<ReadForAudit> read = sender.audit_tick(now)) out.push_back(*read);
  const AuditCopy::Wish wish = audit.tick(now);
  if (wish == AuditCopy::Wish::kNothing) return;
  out.push_back(ReadForAudit{false, wish == AuditCopy::Wish::kReadFromStart, kAuditChunk});
}

void Mirror::Impl::finish_audit(Instant now, MirrorActions& out) {
  const std::optional<AuditResult> result = audit.finish(now);
  if (!result) return;
  control(out, *result);
  if (!result->differing.empty()) out.push_back(AuditDiffers{result->differing.size()});
}

void Mirror::Impl::give_up_audit(MirrorActions& out) {
  if (!audit.running()) return;
  control(out, AuditResult{audit.round(), 0, 0, {}});
  audit.give_up();
}

void Mirror::Impl::on(Instant now, MirrorActions& out, AuditBegin message) {
  if (!may_receive(out)) return;
  audit.give_up();
  audit.begin(now, message);
  if (!in_sync || incoming || !(message.vsds & mastered).empty()) give_up_audit(out);
}

void Mirror::Impl::on(Instant now, MirrorActions& out, AuditDigests message) {
  if (!may_receive(out)) return;
  if (std::string wrong = audit.take(message); !wrong.empty()) return close(out, "the peer sent " + std::move(wrong));
  finish_audit(now, out);
}

void Mirror::Impl::on(Instant now, MirrorActions& out, AuditResult message) {
  if (!sender.audit_result(now, message)) close(out, "the peer found a difference in a bucket there is not");
}

}  // namespace nsrp::rto
