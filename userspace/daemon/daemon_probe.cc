// SPDX-License-Identifier: Apache-2.0
// `exec nsrp probe`: takes a second for each probe, and the operator waits for the result.
#include <utility>

#include "daemon/daemon.h"
#include "daemon/status.h"

namespace nsrp::daemon {

namespace {

std::string words_of(const core::ProbesDone& result, const std::string& ifname) {
  const std::string sent = std::to_string(result.sent) + (result.sent == 1 ? " probe" : " probes");
  return sent + " on " + ifname + ": " + std::to_string(result.answered) + " of " + std::to_string(result.sent) +
         " answered";
}

}  // namespace

void Daemon::execute_probe(const config::Command& command, bool json, const Done& done) {
  const std::string ifname = config::argument(command, "interface").value();
  std::optional<core::LinkIndex> link;
  std::string known;
  for (const auto& [index, name] : link_names(config_)) {
    if (index == core::kSecondaryPath) continue;
    known.append(known.empty() ? "" : ", ").append(name);
    if (name == ifname) link = index;
  }
  if (!link) {
    return done({1, "", "\"" + ifname + "\" is no HA link; HA links: " + (known.empty() ? "none" : known)});
  }
  std::optional<MacAddress> to;
  if (const auto mac = config::argument(command, "mac")) to = MacAddress::parse(*mac).value();
  const auto count = static_cast<uint8_t>(
      std::stoi(config::argument(command, "probe-count").value_or(std::to_string(config::kDefaultProbeCount))));
  control_->probe(*link, to, count, [=, this](const Status& accepted) {
    loop_->post([=, this] {
      if (!accepted) return done({1, "", accepted.error().message});
      probing_[*link] = [=](const core::ProbesDone* result, const std::string& refusal) {
        if (result == nullptr) return done({1, "", refusal});
        const Json document = {{"interface", ifname}, {"sent", result->sent}, {"answered", result->answered}};
        done({0, json ? document.dump(2) + "\n" : words_of(*result, ifname) + "\n", ""});
      };
    });
  });
}

void Daemon::on_probes_done(const core::ProbesDone& result) {
  const auto names = link_names(config_);
  const auto name = names.find(result.link);
  events_.add(EventId::k_probes, "interface=" + (name == names.end() ? "none" : name->second) + " sent=" +
                                     std::to_string(result.sent) + " answered=" + std::to_string(result.answered));
  if (auto waiting = probing_.extract(result.link)) waiting.mapped()(&result, "");
}

// The Member that was probing is gone, and its result with it.
void Daemon::refuse_probes(const std::string& reason) {
  for (const auto& [link, answer] : std::exchange(probing_, {})) answer(nullptr, reason);
}

}  // namespace nsrp::daemon
