// SPDX-License-Identifier: Apache-2.0
#include "daemon/daemon.h"

#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <random>

#include "daemon/files.h"
#include "io/clock.h"

namespace nsrp::daemon {

namespace {

// An orderly stop never takes longer, whatever a peer does.
constexpr seconds kStopLimit{5};

uint64_t random_epoch() {
  std::random_device source;
  return uint64_t{source()} << 32 | source();
}

// The device's identity in the election (manual ch. 1: "the highest MAC address"): the MAC of its first Ethernet
// interface. It must not change with the configuration.
UnitId unit_id_of(const std::vector<kernel::Link>& links) {
  const kernel::Link* first = nullptr;
  for (const kernel::Link& link : links) {
    if (!link.ethernet || link.mac.is_zero()) continue;
    if (!first || link.ifindex < first->ifindex) first = &link;
  }
  return UnitId{first ? first->mac.as_number() : random_epoch() & 0xffffffffffff};
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::create(Options options) {
  std::unique_ptr<Daemon> daemon(new Daemon(std::move(options), random_epoch()));
  if (Status started = daemon->start(); !started) return fail(started.error());
  return daemon;
}

Daemon::~Daemon() {
  // Threads first: they use the data path.
  stop_threads();
}

Status Daemon::start() {
  started_ = io::now();
  if (geteuid() != 0) {
    return fail("nsrpd must run as root: it attaches BPF programs, opens raw sockets and configures interfaces");
  }
  if (Status made = make_directory(options_.run_dir); !made) return made;
  Result<io::Fd> lock = lock_run_dir(options_.run_dir);
  if (!lock) return fail(lock.error());
  lock_ = std::move(*lock);
  if (Status loaded = load_config(); !loaded) return loaded;
  if (!options_.record_file.empty()) {
    Result<std::unique_ptr<RecordFile>> record = RecordFile::create(options_.record_file);
    if (!record) return fail(record.error());
    record_ = std::move(*record);
  }

  Result<std::unique_ptr<io::Loop>> loop = io::Loop::create();
  if (!loop) return fail(loop.error());
  loop_ = std::move(*loop);
  if (Status watched = watch_signals(); !watched) return watched;

  Result<std::unique_ptr<kernel::Network>> network = kernel::Network::open();
  if (!network) return fail(network.error());
  network_ = std::move(*network);
  const Result<std::vector<kernel::Link>> links = network_->links();
  if (!links) return fail(links.error());
  unit_ = unit_id_of(*links);

  kernel::DatapathOptions datapath_options;
  datapath_options.bpf_dir = options_.bpf_dir;
  datapath_options.max_sessions = options_.max_sessions != 0 ? options_.max_sessions : config_.max_sessions;
  if (options_.event_ring_bytes != 0) datapath_options.event_ring_bytes = options_.event_ring_bytes;
  Result<std::unique_ptr<kernel::Datapath>> datapath = kernel::Datapath::open(datapath_options);
  if (!datapath) return fail(datapath.error());
  datapath_ = std::move(*datapath);
  applier_ = std::make_unique<Applier>(*datapath_, *network_, events_);
  data_link_kept_until_ = io::now() + config_.hb_interval * config_.hb_threshold;
  if (datapath_->adopted()) events_.add(EventId::k_adopted, "dir=" + options_.bpf_dir);
  if (!datapath_->sessions_supported()) events_.add(EventId::k_sessions_unsupported, "");

  Result<std::unique_ptr<ControlThread>> control = ControlThread::start(*datapath_, boot_epoch_, control_callbacks());
  if (!control) return fail(control.error());
  control_ = std::move(*control);
  if (!control_->realtime()) events_.add(EventId::k_realtime_refused, "");

  if (Status mirroring = start_rto(); !mirroring) return mirroring;
  if (Status refreshed = refresh_links(); !refreshed) return refreshed;
  adopt_earlier_run();
  if (Status applied = apply_config(config_); !applied) {
    applier_->remove_all();
    return applied;
  }
  finish_upgrade();
  report_full_tables();
  if (datapath_->adopted()) loop_->call_at(data_link_kept_until_, [this] { refresh_peer(); });
  network_watch_ = loop_->watch(network_->events_fd(), io::Loop::kReadable, [this] { on_links_changed(); });
  Result<std::unique_ptr<io::ControlServer>> server = io::ControlServer::listen(
      *loop_, options_.run_dir + "/nsrpd.sock",
      [this](const std::string& line, const io::ControlServer::Reply& reply) { answer(line, reply); });
  if (!server) return fail(server.error());
  server_ = std::move(*server);
  return {};
}

// The two threads call each other, so neither object goes before both threads have ended: stop_threads().
Status Daemon::start_rto() {
  Result<std::unique_ptr<DeferWorker>> defer = DeferWorker::start(
      *datapath_, {.ask = [this](uint64_t id) { rto_->acknowledge(id); },
                   .on_event = [this](const std::string& text) { events_.add(EventId::k_rto, text); }});
  if (!defer) return fail(defer.error());
  defer_ = std::move(*defer);

  RtoCallbacks callbacks;
  callbacks.on_in_sync = [this](bool in_sync, UnitId peer) {
    loop_->post([this, in_sync, peer] {
      events_.add(EventId::k_rto_in_sync,
                  "in_sync=" + std::string(in_sync ? "yes" : "no") + " peer=" + to_string(peer));
      control_->set_sync(in_sync, peer);
    });
  };
  callbacks.on_barrier_done = [this](uint64_t barrier) {
    loop_->post([this, barrier] {
      const auto found = barriers_.find(barrier);
      if (found == barriers_.end()) return;
      control_->barrier_done(found->second);
      barriers_.erase(found);
    });
  };
  callbacks.on_event = [this](const std::string& text) { events_.add(EventId::k_rto, text); };
  callbacks.on_acknowledged = [this](uint64_t id, bool by_peer) { defer_->acknowledge(id, by_peer); };
  callbacks.on_peer_listens = [this](bool listens) { defer_->set_peer_listens(listens); };
  Result<std::unique_ptr<RtoWorker>> rto = RtoWorker::start(*datapath_, std::move(callbacks));
  if (!rto) return fail(rto.error());
  rto_ = std::move(*rto);
  return {};
}

void Daemon::stop_threads() {
  control_.reset();  // nothing renews a lease from here on
  if (defer_) defer_->stop();
  rto_.reset();
  defer_.reset();
}

ControlCallbacks Daemon::control_callbacks() {
  ControlCallbacks callbacks;
  callbacks.on_action = [this](core::Action action) {
    loop_->post([this, action = std::move(action)] { on_action(action); });
  };
  callbacks.on_change = [this] { loop_->post([this] { on_peers_changed(); }); };
  if (!record_) return callbacks;
  callbacks.on_member = [this](golden::Beginning beginning) {
    beginning.description = "nsrpd " + to_string(unit_);
    loop_->post([this, beginning = std::move(beginning)] { on_recorded(record_->begin(beginning)); });
  };
  callbacks.on_told = [this](Instant now, golden::Input input, Result<core::Actions> answer) {
    loop_->post([this, now, input = std::move(input), answer = std::move(answer)] {
      on_recorded(record_->record(now, input, answer));
    });
  };
  return callbacks;
}

Status Daemon::load_config() {
  const Result<std::optional<std::string>> text = read_file(options_.config_file);
  if (!text) return fail(text.error());
  if (!text->has_value()) return {};  // a first start: commands and `save` make the file
  Result<config::Config> loaded = config::load(**text, options_.config_file);
  if (!loaded) return fail(loaded.error());
  config_ = std::move(*loaded);
  saved_config_ = config_;
  return {};
}

// A run that ended without finish_stop() left addresses, routes and programs: its applied configuration says which.
void Daemon::adopt_earlier_run() {
  const Result<std::optional<std::string>> text = read_file(applied_file());
  if (!text || !text->has_value()) return;
  const Result<config::Config> before = config::load(**text, applied_file());
  if (before) applier_->adopt(make_plan(*before, links_, down_vsds(*before)));
}

// Our programs are in place everywhere: nothing works on an earlier version's maps any more.
void Daemon::finish_upgrade() {
  const std::optional<unsigned> from = datapath_->upgraded_from();
  if (!from) return;
  const Result<size_t> left_out = datapath_->finish_upgrade();
  events_.add(EventId::k_upgraded, "from=v" + std::to_string(*from) +
                                       (left_out ? " left_out=" + std::to_string(*left_out)
                                                 : " trouble=" + quote(left_out.error().message)));
}

Status Daemon::watch_signals() {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  sigaddset(&mask, SIGINT);
  pthread_sigmask(SIG_BLOCK, &mask, nullptr);  // before any thread starts: all inherit it
  std::signal(SIGPIPE, SIG_IGN);
  signals_ = io::Fd(signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals_) return fail("cannot create a signalfd: " + std::string(std::strerror(errno)));
  signal_watch_ = loop_->watch(signals_.get(), io::Loop::kReadable, [this] { on_signal(); });
  return {};
}

void Daemon::run() {
  events_.add(EventId::k_started, "unit=" + to_string(unit_) + " cluster=" + std::to_string(config_.cluster.value) +
                                      " config=" + quote(options_.config_file));
  check_forwarding();
  sd_notify(0, "READY=1");
  loop_->run();
  events_.add(EventId::k_stopped, "");
}

void Daemon::check_forwarding() {
  if (config_.cluster.value == 0) return;
  for (const char* path : {"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"}) {
    const Result<std::optional<std::string>> value = read_file(path);
    if (value && value->has_value() && (*value)->starts_with("0")) {
      events_.add(EventId::k_forwarding_off, "file=" + std::string(path));
    }
  }
}

void Daemon::on_signal() {
  signalfd_siginfo info{};
  while (read(signals_.get(), &info, sizeof info) == sizeof info) {
    events_.add(EventId::k_stopping, "signal=" + std::string(info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT"));
    begin_stop();
  }
}

void Daemon::begin_stop() {
  if (stopping_) return;
  stopping_ = true;
  sd_notify(0, "STOPPING=1");
  if (options_.keep) return finish_stop();
  loop_->call_at(io::now() + kStopLimit, [this] { finish_stop(); });
  control_->begin_leave();
}

// With --keep the device stays what it is: the next run resumes within the lease, and the data path never stops.
void Daemon::finish_stop() {
  server_.reset();
  stop_threads();
  if (!options_.keep) {
    applier_->remove_all();
    unlink(applied_file().c_str());
  }
  loop_->stop();
}

}  // namespace nsrp::daemon
