// SPDX-License-Identifier: Apache-2.0
// The command language carried out: requests of the control socket in, exit code and text out (0 done, 1 refused).
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

#include "daemon/daemon.h"
#include "daemon/files.h"
#include "daemon/request.h"
#include "daemon/status.h"
#include "io/clock.h"

namespace nsrp::daemon {

namespace {

using config::Command;
using config::CommandId;

std::string reply_line(int exit, const std::string& out, const std::string& err) {
  // Replace what is not UTF-8 rather than throw: names come from files and from users.
  return Json{{"exit", exit}, {"out", out}, {"err", err}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string joined(const config::Words& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::optional<core::ModeCommand> mode_of(const std::string& word) {
  if (word == "master") return core::ModeCommand::kMaster;
  if (word == "backup") return core::ModeCommand::kBackup;
  if (word == "pb") return core::ModeCommand::kPrimaryBackup;
  if (word == "init") return core::ModeCommand::kInitial;
  if (word == "ineligible") return core::ModeCommand::kIneligible;
  return std::nullopt;
}

Json counters_json(const kernel::Counters& counters) {
  Json json = Json::object();
  for (unsigned i = 0; i < NSRP_CNT_MAX; ++i) {
    json[std::string(kernel::counter_name(static_cast<nsrp_counter>(i)))] = counters[i];
  }
  return json;
}

std::string counters_text(const kernel::Counters& counters) {
  std::string text;
  for (unsigned i = 0; i < NSRP_CNT_MAX; ++i) {
    const auto counter = static_cast<nsrp_counter>(i);
    std::string name(kernel::counter_name(counter));
    name.resize(std::max<size_t>(name.size() + 1, 26), ' ');
    std::string value = std::to_string(counters[i]);
    value.resize(std::max<size_t>(value.size() + 1, 12), ' ');
    text += name + value + std::string(kernel::counter_help(counter)) + "\n";
  }
  return text;
}

Json routes_json(const config::Config& config) {
  Json list = Json::array();
  for (const config::Route& route : config.routes) {
    list.push_back({{"vrouter", route.vrouter},
                    {"destination", to_string(route.destination)},
                    {"interface", route.ifname},
                    {"vsd", route.vsd.value},
                    {"gateway", route.gateway ? to_string(*route.gateway) : ""},
                    {"metric", route.metric.value_or(0)},
                    {"table", routing_table_of(route.vsd)}});
  }
  return list;
}

std::string routes_text(const Json& routes) {
  std::string text;
  for (const Json& route : routes) {
    text += route.at("destination").get<std::string>() + " interface " + route.at("interface").get<std::string>() +
            (route.at("vsd") == 0 ? "" : ":" + route.at("vsd").dump());
    if (const std::string gateway = route.at("gateway"); !gateway.empty()) text += " gateway " + gateway;
    text += ", vrouter " + route.at("vrouter").get<std::string>() + ", table " + route.at("table").dump() + "\n";
  }
  return text;
}

}  // namespace

void Daemon::answer(const std::string& line, const io::ControlServer::Reply& reply) {
  const Result<Request> request = parse_request(line);
  if (!request) return reply(reply_line(1, "", request.error().message));
  if (request->complete) {
    std::string out;
    for (const std::string& each : config::completions(request->words)) out += each + "\n";
    return reply(reply_line(0, out, ""));
  }
  const Result<Command> command = config::parse(request->words);
  if (!command) return reply(reply_line(1, "", command.error().message));
  execute(*command, request->json,
          [reply](const Answer& answer) { reply(reply_line(answer.exit, answer.out, answer.err)); });
}

void Daemon::execute(const Command& command, bool json, const Done& done) {
  switch (command.id) {
    case CommandId::kSet:
    case CommandId::kUnsetAll:
      return done(change_config(command));
    case CommandId::kSave:
      return done(save_config());
    case CommandId::kReset:
      return done(reload_config());
    case CommandId::kExecVsdMode:
      return execute_mode(command, done);
    case CommandId::kExecProbe:
      return execute_probe(command, json, done);
    case CommandId::kExecSyncRto: {
      const Status asked = rto_->resync(command.arguments[0], command.words.back() == "peer");
      return done(asked ? Answer{} : Answer{1, "", asked.error().message});
    }
    default:
      return done(show(command, json));
  }
}

Daemon::Answer Daemon::change_config(const Command& command) {
  if (stopping_) return {1, "", "the daemon is stopping"};
  config::Config wanted = config_;
  if (Status changed = config::apply(wanted, command); !changed) return {1, "", changed.error().message};
  std::set<std::string> named = {wanted.secondary_path};
  for (const auto& [name, interface] : wanted.interfaces) named.insert(name);
  for (const std::string& name : named) {
    const bool known = config_.interfaces.contains(name) || name == config_.secondary_path || name.empty();
    if (known || links_.contains(name)) continue;
    std::string present;
    for (const auto& [each, link] : links_) {
      if (link.ethernet) present.append(present.empty() ? "" : ", ").append(each);
    }
    return {1, "", "no interface \"" + name + "\" on this device; present: " + present};
  }
  if (wanted == config_) return {};
  if (Status applied = apply_config(wanted); !applied) return {1, "", applied.error().message};
  events_.add(EventId::k_config_changed, "command=" + quote(joined(command.shown)));
  check_forwarding();
  return {};
}

Daemon::Answer Daemon::save_config() {
  if (Status saved = replace_file(options_.config_file, config::print(config_, config::Secrets::kWritten)); !saved) {
    return {1, "", saved.error().message};
  }
  saved_config_ = config_;
  events_.add(EventId::k_config_saved, "file=" + quote(options_.config_file));
  return {0, "saved to " + options_.config_file + "\n", ""};
}

// `reset` starts the device again from its saved configuration; what was not saved is gone.
Daemon::Answer Daemon::reload_config() {
  if (stopping_) return {1, "", "the daemon is stopping"};
  const Result<std::optional<std::string>> text = read_file(options_.config_file);
  if (!text) return {1, "", text.error().message};
  const Result<config::Config> loaded = config::load(text->value_or(""), options_.config_file);
  if (!loaded) return {1, "", loaded.error().message};
  if (Status applied = apply_config(*loaded); !applied) return {1, "", applied.error().message};
  saved_config_ = *loaded;
  return {0, "configuration read again from " + options_.config_file + "\n", ""};
}

void Daemon::execute_mode(const Command& command, const Done& done) {
  const VsdId vsd{static_cast<uint8_t>(std::stoi(command.arguments.at(0)))};
  const std::optional<core::ModeCommand> mode = mode_of(command.arguments.at(1));
  if (!mode) return done({1, "", "unknown mode \"" + command.arguments.at(1) + "\""});
  control_->command(vsd, *mode, [this, done](const Status& status) {
    loop_->post([done, status] { done(status ? Answer{} : Answer{1, "", status.error().message}); });
  });
}

Daemon::Answer Daemon::show(const Command& command, bool json) {
  const auto control = control_->view();
  const RtoView rto = rto_->view();
  const DeferView defer = defer_->view();
  const StatusSource source{config_,
                            *control,
                            links_,
                            *applier_,
                            rto,
                            unit_,
                            config_.hostname.empty() ? host_name() : config_.hostname,
                            io::now(),
                            monitor_sum_,
                            255,
                            checksum_matches_,
                            data_link_,
                            fast_path_,
                            defer};
  const auto either = [json](const Json& document, const std::string& text) {
    return Answer{0, json ? document.dump(2) + "\n" : text, ""};
  };
  switch (command.id) {
    case CommandId::kGetNsrp: {
      const Json nsrp = nsrp_json(source);
      return either(nsrp, nsrp_text(nsrp));
    }
    case CommandId::kGetNsrpCluster: {
      const Json nsrp = nsrp_json(source);
      return either(nsrp.at("cluster"), cluster_text(nsrp));
    }
    case CommandId::kGetNsrpVsdGroup: {
      Json groups = vsd_groups_json(source);
      if (!command.arguments.empty()) {
        const int wanted = std::stoi(command.arguments[0]);
        const auto found = std::find_if(groups.begin(), groups.end(),
                                        [wanted](const Json& group) { return group.at("id") == wanted; });
        if (found == groups.end()) return {1, "", "there is no VSD group " + command.arguments[0] + " on this device"};
        groups = Json::array({*found});
      }
      return either(groups, vsd_groups_text(groups));
    }
    case CommandId::kGetNsrpHaLink: {
      const Json nsrp = nsrp_json(source);
      return either(nsrp.at("ha_links"), ha_links_text(nsrp));
    }
    case CommandId::kGetNsrpRtoMirror: {
      const Json mirror = rto_mirror_json(source);
      return either(mirror, rto_mirror_text(mirror));
    }
    case CommandId::kGetNsrpRtoAudit: {
      const Json audit = rto_audit_json(source);
      return either(audit, rto_audit_text(audit));
    }
    case CommandId::kGetNsrpMonitor: {
      const Json monitor = monitor_json(source);
      return either(monitor, monitor_text(monitor));
    }
    case CommandId::kGetNsrpCounters: {
      const Result<kernel::Counters> counters = datapath_->counters();
      if (!counters) return {1, "", counters.error().message};
      return either(counters_json(*counters), counters_text(*counters));
    }
    case CommandId::kClearNsrpCounters:
    case CommandId::kClearClusterNsrpCounters: {
      const Status cleared = datapath_->clear_counters();
      if (cleared && command.id == CommandId::kClearClusterNsrpCounters) control_->clear_counters_everywhere();
      return cleared ? Answer{} : Answer{1, "", cleared.error().message};
    }
    case CommandId::kGetInterface: {
      Json interfaces = interfaces_json(source);
      if (!command.arguments.empty()) {
        const auto found = std::find_if(interfaces.begin(), interfaces.end(), [&](const Json& interface) {
          return interface.at("name") == command.arguments[0];
        });
        if (found == interfaces.end()) return {1, "", "no interface \"" + command.arguments[0] + "\" is configured"};
        interfaces = Json::array({*found});
      }
      return either(interfaces, interfaces_text(interfaces));
    }
    case CommandId::kGetRoute: {
      const Json routes = routes_json(config_);
      return either(routes, routes_text(routes));
    }
    case CommandId::kGetConfig: {
      const std::string text = config::print(config_, config::Secrets::kMasked);
      return either(Json{{"config", text}, {"saved", config_ == saved_config_}}, text);
    }
    case CommandId::kGetEvent: {
      Json list = Json::array();
      std::string text;
      for (const Event& event : events_.recent()) {
        list.push_back({{"time", event.time}, {"id", static_cast<int>(event.id)}, {"text", event.text}});
        text += event.time + " id=" + std::to_string(static_cast<int>(event.id)) + " " + event.text + "\n";
      }
      return either(list, text);
    }
    case CommandId::kGetSession:
      return either(Json{{"sessions", rto.sessions}},
                    std::to_string(rto.sessions) + " sessions; each one: bpftool map dump pinned " + options_.bpf_dir +
                        "/v" + std::to_string(NSRP_ABI_VERSION) + "/sessions\n");
    case CommandId::kGetSystem:
      return either(Json{{"version", NSRP_VERSION},
                         {"unit_id", to_string(unit_)},
                         {"uptime_s", to_ms(io::now() - started_) / 1000},
                         {"bpf_dir", options_.bpf_dir},
                         {"config_file", options_.config_file},
                         {"sessions_supported", datapath_->sessions_supported()},
                         {"realtime", control_->realtime()}},
                    "OpenNSRP " NSRP_VERSION ", unit id " + to_string(unit_) + ", up " +
                        std::to_string(to_ms(io::now() - started_) / 1000) + " s\nconfiguration file " +
                        options_.config_file + (config_ == saved_config_ ? "" : " (running configuration not saved)") +
                        "\nmaps and programs under " + options_.bpf_dir + "\nheartbeats with real-time priority: " +
                        (control_->realtime() ? "yes" : "no") + "\nsessions recorded from conntrack: " +
                        (datapath_->sessions_supported() ? "yes" : "no, this kernel lacks the functions") + "\n");
    default:
      return {1, "", "this command is not carried out by the daemon"};
  }
}

}  // namespace nsrp::daemon
