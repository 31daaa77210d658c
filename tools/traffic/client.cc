// SPDX-License-Identifier: Apache-2.0
#include "client.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>

#include "net.h"
#include "tcp_connections.h"
#include "udp_flows.h"

namespace nsrp::traffic {
namespace {

using namespace std::chrono_literals;

constexpr auto kTick = 1ms;          // sending is due in steps of this
constexpr auto kLongWait = 1s;       // an echo outstanding longer counts as waiting in the progress lines
constexpr auto kUdpDrain = 1s;       // a datagram later than this is lost
constexpr auto kConnectLimit = 20s;  // for the last connection to be established

void print(const nlohmann::json& line) {
  std::puts(line.dump().c_str());
  std::fflush(stdout);
}

class Client {
 public:
  explicit Client(const ClientOptions& options) : options_(options) {}
  Status open();
  void run();

 private:
  Status open_control();
  void read_command();
  void on_tick();
  void on_second(TimePoint now);
  void stop_sending(TimePoint now);
  bool drained(TimePoint now) const;
  nlohmann::json result(TimePoint now) const;

  ClientOptions options_;
  Poller poller_;
  UdpFlows udp_;
  TcpConnections tcp_;
  Fd tick_, signals_;
  Poller::Handler on_timer_, on_signal_, on_stdin_;
  TimePoint start_, next_second_, stopped_at_;
  std::chrono::system_clock::time_point started_unix_;
  uint64_t last_udp_sent_ = 0, last_udp_received_ = 0;
  bool ready_ = false, stopping_ = false, stop_wanted_ = false, done_ = false;
};

Status Client::open() {
  auto udp_to = parse_endpoint(options_.server, options_.udp_port);
  auto tcp_to = parse_endpoint(options_.server, options_.tcp_port);
  if (!udp_to) return fail(udp_to.error());
  if (!tcp_to) return fail(tcp_to.error());
  if (Status done = open_control(); !done) return done;
  if (options_.udp_rate > 0)
    if (Status done = udp_.open(poller_, *udp_to, options_.udp_flows, options_.udp_rate); !done) return done;
  return tcp_.open(
      poller_, *tcp_to,
      {options_.connections, std::chrono::milliseconds(options_.message_interval_ms), options_.message_bytes});
}

Status Client::open_control() {
  auto signals = stop_signals();
  if (!signals) return fail(signals.error());
  auto tick = ticker(kTick);
  if (!tick) return fail(tick.error());
  signals_ = std::move(*signals);
  tick_ = std::move(*tick);
  on_signal_ = [this](uint32_t) { stop_wanted_ = true; };
  on_timer_ = [this](uint32_t) { on_tick(); };
  on_stdin_ = [this](uint32_t) { read_command(); };
  // epoll refuses /dev/null and plain files: then there is nobody to say "stop".
  (void)poller_.add(STDIN_FILENO, EPOLLIN | EPOLLET, &on_stdin_);
  if (Status done = poller_.add(signals_.get(), EPOLLIN, &on_signal_); !done) return done;
  return poller_.add(tick_.get(), EPOLLIN, &on_timer_);
}

void Client::read_command() {
  std::array<char, 64> line;
  const ssize_t n = read(STDIN_FILENO, line.data(), line.size());
  if (n > 0 && std::string_view(line.data(), static_cast<size_t>(n)).starts_with("stop")) stop_wanted_ = true;
}

void Client::run() {
  start_ = Clock::now();
  next_second_ = start_ + 1s;
  started_unix_ = std::chrono::system_clock::now();
  udp_.start(start_);
  tcp_.start(start_);
  while (!done_) poller_.wait();
}

void Client::on_tick() {
  uint64_t expirations = 0;
  if (read(tick_.get(), &expirations, sizeof expirations) < 0) return;
  const TimePoint now = Clock::now();
  if (!stopping_) {
    udp_.send_due(now);
    tcp_.send_due(now);
    const bool time_over = options_.duration_ms > 0 && now - start_ >= std::chrono::milliseconds(options_.duration_ms);
    if (stop_wanted_ || time_over) stop_sending(now);
  }
  if (!ready_ && tcp_.flowing() && (options_.udp_rate == 0 || udp_.received() > 0)) {
    ready_ = true;
    print({{"type", "ready"}, {"established", tcp_.established()}, {"at_ms", to_ms(now - start_)}});
  }
  if (options_.progress && now >= next_second_) on_second(now);
  if (stopping_ && drained(now)) {
    tcp_.give_up(now);
    print(result(now));
    done_ = true;
  }
}

void Client::on_second(TimePoint now) {
  print({{"type", "progress"},
         {"at_ms", to_ms(now - start_)},
         {"udp_sent", udp_.sent() - last_udp_sent_},
         {"udp_received", udp_.received() - last_udp_received_},
         {"tcp_open", tcp_.established() - tcp_.broken()},
         {"tcp_waiting", tcp_.waiting(now, kLongWait)},
         {"tcp_broken", tcp_.broken()}});
  last_udp_sent_ = udp_.sent();
  last_udp_received_ = udp_.received();
  next_second_ += 1s;
}

void Client::stop_sending(TimePoint now) {
  stopping_ = true;
  stopped_at_ = now;
  udp_.finish(now);
  tcp_.finish();
}

bool Client::drained(TimePoint now) const {
  const bool udp_done = udp_.all_back() || now - stopped_at_ >= kUdpDrain;
  const bool tcp_done = (tcp_.settled() || now - start_ >= kConnectLimit) && tcp_.all_echoed();
  return udp_done && (tcp_done || now - stopped_at_ >= std::chrono::milliseconds(options_.drain_ms));
}

nlohmann::json Client::result(TimePoint now) const {
  const auto unix_ms = std::chrono::duration_cast<std::chrono::milliseconds>(started_unix_.time_since_epoch());
  nlohmann::json line = {{"type", "result"},
                         {"started_unix_ms", unix_ms.count()},
                         {"duration_ms", to_ms(stopped_at_ - start_)},
                         {"drain_ms", to_ms(now - stopped_at_)}};
  if (options_.udp_rate > 0) line["udp"] = udp_.result();
  if (options_.connections > 0) line["tcp"] = tcp_.result();
  return line;
}

}  // namespace

Status run_client(const ClientOptions& options) {
  Client client(options);
  if (Status done = client.open(); !done) return done;
  client.run();
  return {};
}

}  // namespace nsrp::traffic
