// SPDX-License-Identifier: Apache-2.0
#include "udp_flows.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>

namespace nsrp::traffic {
namespace {

// run id, sequence number, and a word made from both.
using Datagram = std::array<uint64_t, 3>;

}  // namespace

Status UdpFlows::open(Poller& poller, const Endpoint& server, uint32_t flows, uint32_t rate) {
  rate_ = rate;
  run_id_ = std::random_device{}();
  flows_.resize(flows);
  for (Flow& flow : flows_) {
    auto fd = connect_to(SOCK_DGRAM, server);
    if (!fd) return fail(fd.error());
    flow.fd = std::move(*fd);
    flow.handler = [this, &flow](uint32_t) { receive(flow); };
    if (Status done = poller.add(flow.fd.get(), EPOLLIN, &flow.handler); !done) return done;
  }
  return {};
}

void UdpFlows::start(TimePoint now) {
  start_ = last_reply_ = last_send_ = now;
  pacer_ = Pacer(now, rate_);
}

void UdpFlows::send_due(TimePoint now) {
  if (finished_ || rate_ == 0) return;
  longest_send_gap_ = std::max(longest_send_gap_, now - last_send_);
  for (uint64_t due = pacer_.due(now); due > 0; --due) {
    send_one(now);
    last_send_ = now;
  }
}

void UdpFlows::send_one(TimePoint now) {
  const Datagram datagram{run_id_, sent_, pattern_word(run_id_, sent_)};
  const Flow& flow = flows_[sent_ % flows_.size()];
  // ECONNREFUSED and EHOSTUNREACH report the fate of an earlier datagram and say nothing of this one; either way it
  // has its number, and is lost if it does not come back.
  if (send(flow.fd.get(), datagram.data(), sizeof datagram, 0) < 0) ++refused_;
  sent_at_.push_back(now);
  back_.push_back(false);
  ++sent_;
}

void UdpFlows::receive(Flow& flow) {
  Datagram datagram;
  for (int i = 0; i < 64; ++i) {
    const ssize_t n = recv(flow.fd.get(), datagram.data(), sizeof datagram, MSG_TRUNC);
    if (n < 0) return;
    const auto [run, sequence, word] = datagram;
    if (n != sizeof datagram || run != run_id_ || sequence >= sent_ || word != pattern_word(run, sequence)) {
      ++corrupt_;
      continue;
    }
    on_reply(Clock::now(), sequence);
  }
}

void UdpFlows::on_reply(TimePoint now, uint64_t sequence) {
  if (back_[sequence]) {
    ++duplicates_;
    return;
  }
  back_[sequence] = true;
  ++received_;
  if (sequence < highest_) ++reordered_;
  highest_ = std::max(highest_, sequence);
  longest_round_trip_ = std::max(longest_round_trip_, now - sent_at_[sequence]);
  if (finished_) return;
  note_gap(last_reply_, now);
  last_reply_ = now;
}

void UdpFlows::note_gap(TimePoint from, TimePoint to) {
  const auto length = to - from;
  if (length > longest_gap_) {
    longest_gap_ = length;
    longest_gap_from_ = from;
  }
  if (length >= kListedGap && gaps_.size() < kMaxListedGaps) gaps_.push_back({from, length});
}

void UdpFlows::finish(TimePoint now) {
  if (finished_ || rate_ == 0) return;
  note_gap(last_reply_, now);  // an outage that never ended is a gap as well
  finished_ = true;
}

nlohmann::json UdpFlows::result() const {
  nlohmann::json gaps = nlohmann::json::array();
  for (const Gap& gap : gaps_) gaps.push_back({{"at_ms", to_ms(gap.from - start_)}, {"length_ms", to_ms(gap.length)}});
  return {{"sent", sent_},
          {"received", received_},
          {"lost", sent_ - received_},
          {"duplicates", duplicates_},
          {"reordered", reordered_},
          {"corrupt", corrupt_},
          {"send_errors", refused_},
          {"longest_gap_ms", to_ms(longest_gap_)},
          {"longest_gap_at_ms", to_ms(longest_gap_from_ - start_)},
          // How late this program itself was: a gap of the same length is not the network's.
          {"longest_send_gap_ms", to_ms(longest_send_gap_)},
          {"longest_round_trip_ms", to_ms(longest_round_trip_)},
          {"gaps", gaps}};
}

}  // namespace nsrp::traffic
