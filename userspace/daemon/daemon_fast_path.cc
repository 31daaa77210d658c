// SPDX-License-Identifier: Apache-2.0
// What XDP may forward by itself, and when what it has learned about paths is void.
#include <algorithm>
#include <set>

#include "daemon/daemon.h"
#include "io/clock.h"

namespace nsrp::daemon {

namespace {

// A flapping route must not keep every session in the stack.
constexpr milliseconds kVoidInterval{100};

}  // namespace

// TCP needs conntrack to overlook what it does not see. Native XDP can send out of interfaces that have it too.
kernel::FastPath Daemon::wanted_fast_path() {
  kernel::FastPath wanted;
  if (!config_.fast_path || config_.cluster.value == 0 || !datapath_->sessions_supported()) return wanted;
  const Result<bool> lenient = network_->prepare_fast_path();
  if (!lenient) {
    events_.add(EventId::k_config_apply_failed, "cause=" + quote("fast path: " + lenient.error().message));
    return wanted;
  }
  wanted.udp = true;
  wanted.tcp = *lenient;
  std::set<std::string> names;
  for (const config::Vsi& vsi : config::vsis_of(config_)) names.insert(vsi.ifname);
  for (const std::string& name : names) {
    const auto link = links_.find(name);
    if (link != links_.end() && applier_->xdp_mode(name) == kernel::XdpMode::kNative)
      wanted.ports.push_back(link->second.ifindex);
  }
  return wanted;
}

void Daemon::refresh_fast_path() {
  const kernel::FastPath wanted = wanted_fast_path();
  Status done = watch_paths(wanted.udp);
  // Set again also when nothing in it has changed: something else of the configuration has, and permits are void.
  if (done) done = datapath_->set_fast_path(wanted);
  if (!done) {
    events_.add(EventId::k_config_apply_failed, "cause=" + quote("fast path: " + done.error().message));
    (void)datapath_->set_fast_path({});
    fast_path_ = {};
    return;
  }
  if (wanted == fast_path_) return;
  fast_path_ = wanted;
  events_.add(EventId::k_fast_path, "tcp=" + std::string(wanted.tcp ? "yes" : "no") + " udp=" +
                                        (wanted.udp ? "yes" : "no") + " ports=" + std::to_string(wanted.ports.size()));
}

Status Daemon::watch_paths(bool on) {
  if (on == (path_watch_ != nullptr)) return {};
  path_watches_.clear();
  path_watch_.reset();
  if (!on) return {};
  Result<std::unique_ptr<kernel::PathWatch>> watch = kernel::PathWatch::open();
  if (!watch) return fail(watch.error());
  path_watch_ = std::move(*watch);
  for (const int fd : path_watch_->fds())
    path_watches_.push_back(loop_->watch(fd, io::Loop::kReadable, [this] { on_paths_changed(); }));
  return {};
}

void Daemon::on_paths_changed() {
  if (!path_watch_->consume() || void_permits_timer_ != 0) return;
  const Instant next = permits_voided_ + kVoidInterval;
  void_permits_timer_ = loop_->call_at(std::max(io::now(), next), [this] {
    void_permits_timer_ = 0;
    permits_voided_ = io::now();
    // Rules may have brought conntrack with them.
    if (config_.fast_path && !fast_path_.tcp) return refresh_fast_path();
    if (Status voided = datapath_->void_permits(); !voided)
      events_.add(EventId::k_config_apply_failed, "cause=" + quote("fast path: " + voided.error().message));
  });
}

}  // namespace nsrp::daemon
