// SPDX-License-Identifier: Apache-2.0
// HA link probes (manual ch. 1, "Dual HA Link Probes"): requests that go by unicast, as forwarded packets do, and so
// find a path that heartbeats, which are broadcast, do not. An unanswered probe counts only while the peer lives; that
// it does not is seen elsewhere. A link found dead goes on being probed, each second, until an answer comes.
#include <algorithm>

#include "core/member_impl.h"

namespace nsrp::core {

namespace {

constexpr seconds kCommandInterval{1};  // manual: once every second

}  // namespace

// When the next one goes out by itself: nothing is probed without a setting, except to find a dead link alive again.
std::optional<Instant> Member::Impl::next_probe(LinkIndex index, const Link& link) const {
  const bool probes = settings.probe || link.probing.down;
  if (!probes || index == kSecondaryPath || !link.facts.carrier || !any_alive()) return std::nullopt;
  return link.probing.next.value_or(now);
}

void Member::Impl::probe_due() {
  for (auto& [index, link] : links) probe_due(index, link);
}

void Member::Impl::probe_due(LinkIndex index, Link& link) {
  Probing& probing = link.probing;
  if (auto& command = probing.command; command && now >= command->next) {
    if (command->sent < command->count) {
      ++command->sent;
      command->next = now + kCommandInterval;
      send_probe(index, probing, command->to);
    } else {
      if (command->answered == 0) probing.down = true;
      probing.unanswered = command->answered == 0 ? command->sent : uint8_t{0};
      probing.waiting_for.reset();
      out.push_back(ProbesDone{index, command->sent, command->answered});
      command.reset();
    }
  }
  const std::optional<Instant> next = next_probe(index, link);
  if (!next) {
    probing.next.reset();
    if (!probing.command) probing.waiting_for.reset();
    return;
  }
  if (now < *next || probing.command) return;
  if (probing.waiting_for && probing.unanswered < 255) ++probing.unanswered;
  if (settings.probe && probing.unanswered >= settings.probe->threshold) probing.down = true;
  Duration interval = kCommandInterval;
  if (settings.probe && !probing.down) interval = settings.probe->interval;
  probing.next = now + interval;
  send_probe(index, probing, std::nullopt);
}

void Member::Impl::send_probe(LinkIndex index, Probing& probing, std::optional<MacAddress> to) {
  ++probing.sent;
  probing.waiting_for = ++probe_id;
  out.push_back(SendProbe{index, probe_id, to});
}

// An answer that took longer than the next request is one all the same.
void Member::Impl::probe_answered(LinkIndex index, uint64_t id) {
  const auto it = links.find(index);
  if (it == links.end() || id > probe_id || id <= first_probe_id) return;
  Probing& probing = it->second.probing;
  ++probing.answered;
  probing.unanswered = 0;
  probing.down = false;
  if (probing.waiting_for == id) probing.waiting_for.reset();
  if (probing.command && probing.command->answered < probing.command->sent) ++probing.command->answered;
}

Actions Member::on_probe_answer(Instant now, LinkIndex link, uint64_t id) {
  if (impl_->stopped()) return {};
  impl_->enter(now);
  impl_->probe_answered(link, id);
  return impl_->settle();
}

Result<Actions> Member::on_probe_command(Instant now, LinkIndex link, std::optional<MacAddress> to, uint8_t count) {
  const auto it = impl_->links.find(link);
  if (!impl_->started || impl_->leaving) return fail("the daemon is starting or stopping");
  if (it == impl_->links.end()) return fail("this is not an HA link");
  if (!it->second.facts.carrier) return fail(impl_->name_of(link) + " has no carrier");
  if (it->second.probing.command) return fail(impl_->name_of(link) + " is being probed already; wait for the result");
  impl_->enter(now);
  it->second.probing.command = Probing::Command{.to = to, .count = std::max<uint8_t>(count, 1), .next = impl_->now};
  return impl_->settle();
}

}  // namespace nsrp::core
