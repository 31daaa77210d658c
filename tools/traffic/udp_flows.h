// SPDX-License-Identifier: Apache-2.0
// UDP at a steady rate over one or more sockets: which numbered datagrams came back, and the longest silence between
// two that did.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "net.h"

namespace nsrp::traffic {

class UdpFlows {
 public:
  // Gaps at least this long are listed one by one in the result.
  static constexpr std::chrono::milliseconds kListedGap{20};
  static constexpr size_t kMaxListedGaps = 200;

  Status open(Poller& poller, const Endpoint& server, uint32_t flows, uint32_t rate);
  void start(TimePoint now);
  void send_due(TimePoint now);
  void finish(TimePoint now);  // nothing is sent after this; what comes back still counts

  bool all_back() const { return received_ == sent_; }
  uint64_t sent() const { return sent_; }
  uint64_t received() const { return received_; }
  double longest_gap_ms() const { return to_ms(longest_gap_); }
  nlohmann::json result() const;

 private:
  struct Flow {
    Fd fd;
    Poller::Handler handler;
  };
  struct Gap {
    TimePoint from;
    Clock::duration length;
  };

  void send_one(TimePoint now);
  void receive(Flow& flow);
  void on_reply(TimePoint now, uint64_t sequence);
  void note_gap(TimePoint from, TimePoint to);

  std::vector<Flow> flows_;
  uint32_t rate_ = 0;
  Pacer pacer_;
  uint64_t run_id_ = 0;
  std::vector<TimePoint> sent_at_;  // by sequence number
  std::vector<bool> back_;
  TimePoint start_, last_reply_, last_send_;
  bool finished_ = false;
  uint64_t sent_ = 0, received_ = 0, duplicates_ = 0, reordered_ = 0, corrupt_ = 0, refused_ = 0, highest_ = 0;
  Clock::duration longest_gap_{0}, longest_send_gap_{0}, longest_round_trip_{0};
  TimePoint longest_gap_from_;
  std::vector<Gap> gaps_;
};

}  // namespace nsrp::traffic
