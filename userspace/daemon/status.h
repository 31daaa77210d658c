// SPDX-License-Identifier: Apache-2.0
// What `get …` shows: one JSON document per subject, and the same as text in the manual's vocabulary.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "config/model.h"
#include "daemon/applier.h"
#include "daemon/control_thread.h"
#include "daemon/defer_worker.h"
#include "daemon/plan.h"
#include "daemon/rto_worker.h"

namespace nsrp::daemon {

// Everything a report may look at, collected by the daemon's main thread.
struct StatusSource {
  const config::Config& config;
  const ControlView& control;
  const LinksByName& links;
  const Applier& applier;
  const RtoView& rto;
  UnitId unit;
  std::string hostname;
  Instant now;
  unsigned monitor_sum = 0;
  unsigned monitor_threshold = 255;
  std::optional<bool> config_in_sync;  // nullopt: no peer
  const std::optional<kernel::DataLink>& data_link;
  const kernel::FastPath& fast_path;
  const DeferView& defer;
};

using Json = nlohmann::ordered_json;

Json nsrp_json(const StatusSource& source);  // the contract for scripts
// "none", "authenticated" or "encrypted": what this device's frames are now. Never the passwords.
std::string protection_of(const ControlView& view);
Json ha_links_json(const StatusSource& source);
Json vsd_groups_json(const StatusSource& source);
Json rto_mirror_json(const StatusSource& source);
Json rto_audit_json(const StatusSource& source);
Json monitor_json(const StatusSource& source);
Json interfaces_json(const StatusSource& source);
Json transparent_json(const StatusSource& source);  // null without ports

std::string nsrp_text(const Json& nsrp);
std::string cluster_text(const Json& nsrp);
std::string vsd_groups_text(const Json& groups);
std::string ha_links_text(const Json& nsrp);
std::string rto_mirror_text(const Json& mirror);
std::string rto_audit_text(const Json& audit);
std::string monitor_text(const Json& monitor);
std::string interfaces_text(const Json& interfaces);

}  // namespace nsrp::daemon
