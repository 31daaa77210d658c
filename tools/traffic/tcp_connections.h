// SPDX-License-Identifier: Apache-2.0
// Many TCP connections that each send a small message at a steady interval and check the echo byte for byte. A
// connection is broken when it is reset, ended or timed out, when a byte is wrong, or when at the end its outstanding
// messages do not come back any more: what a firewall that forgot the session looks like.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "net.h"

namespace nsrp::traffic {

class TcpConnections {
 public:
  struct Load {
    uint32_t connections = 0;
    std::chrono::milliseconds message_interval{50};
    uint32_t message_bytes = 64;
  };

  Status open(Poller& poller, const Endpoint& server, const Load& load);
  void start(TimePoint now);
  void send_due(TimePoint now);
  void finish();                // no new messages after this
  void give_up(TimePoint now);  // what is still outstanding is broken

  bool settled() const { return established_ + never_established_ == connections_.size(); }
  bool flowing() const;     // every connection that lives has had an echo
  bool all_echoed() const;  // on every connection that lives
  size_t established() const { return established_; }
  size_t broken() const { return broken_; }
  uint64_t bytes() const { return bytes_; }
  size_t waiting(TimePoint now, Clock::duration longer_than) const;
  nlohmann::json result() const;

 private:
  enum class State : uint8_t { kConnecting, kOpen, kClosed };
  struct Message {
    uint64_t end;  // offset in the stream
    TimePoint sent_at;
  };
  struct Connection {
    Fd fd;
    Poller::Handler handler;
    uint64_t stream = 0;
    State state = State::kConnecting;
    uint64_t wanted = 0, written = 0, echoed = 0;  // offsets in the stream
    bool blocked = false;                          // waits for EPOLLOUT
    std::deque<Message> outstanding;
    Clock::duration longest_stall{0};
  };

  void on_ready(Connection& c, uint32_t events);
  void on_connected(Connection& c);
  void read_echo(Connection& c);
  void note_echo(Connection& c, TimePoint now);
  void note_stall(Connection& c, TimePoint from, TimePoint to);
  void write_wanted(Connection& c);
  void close_broken(Connection& c, const std::string& reason);

  Poller* poller_ = nullptr;
  Load load_;
  std::vector<Connection> connections_;
  TimePoint start_;
  Pacer pacer_;
  bool finished_ = false;
  uint64_t turns_ = 0;  // messages handed out, round robin
  size_t established_ = 0, never_established_ = 0, broken_ = 0;
  std::map<std::string, size_t> reasons_;
  std::vector<uint16_t> broken_ports_;  // this side's, of the first few
  uint64_t bytes_ = 0, messages_ = 0;
  Clock::duration longest_stall_{0};
  TimePoint longest_stall_from_;
};

}  // namespace nsrp::traffic
