// SPDX-License-Identifier: Apache-2.0
// Commands that show or do something and leave the configuration alone; the daemon carries them out.
#include "config/grammar.h"

namespace nsrp::config {

namespace {

constexpr Row kRows[] = {
    {"save", CommandId::kSave, "Write the configuration to its file"},
    {"reset", CommandId::kReset, "Restart from the saved configuration"},
    {"get nsrp", CommandId::kGetNsrp, "Show the redundancy state of this device"},
    {"get nsrp cluster", CommandId::kGetNsrpCluster, "Show the cluster and its members"},
    {"get nsrp vsd-group [id <vsd>]", CommandId::kGetNsrpVsdGroup, "Show one VSD group, or all"},
    {"get nsrp ha-link", CommandId::kGetNsrpHaLink, "Show HA links and their roles"},
    {"get nsrp rto-mirror", CommandId::kGetNsrpRtoMirror, "Show the mirroring of run-time objects"},
    {"get nsrp rto-mirror audit", CommandId::kGetNsrpRtoAudit,
     "Show what comparing the members' sessions in the background has found"},
    {"get nsrp monitor", CommandId::kGetNsrpMonitor, "Show monitored objects and their weights"},
    {"get nsrp counters", CommandId::kGetNsrpCounters, "Show packet and message counters"},
    {"get interface [<vsi>]", CommandId::kGetInterface, "Show one interface or VSI, or all"},
    {"get route", CommandId::kGetRoute, "Show static routes"},
    {"get config", CommandId::kGetConfig, "Show the configuration as commands"},
    {"get event", CommandId::kGetEvent, "Show recent events"},
    {"get session", CommandId::kGetSession, "Show sessions"},
    {"get system", CommandId::kGetSystem, "Show version, host name and system facts"},
    {"exec nsrp vsd-group id <vsd> mode <mode>", CommandId::kExecVsdMode,
     "Put this device into a state of the VSD group"},
    {"exec nsrp probe <interface> [<mac>] [count <probe-count>]", CommandId::kExecProbe,
     "Send probes on an HA link, one each second, and tell how many were answered"},
    {"exec nsrp sync rto <rto-class> [from peer]", CommandId::kExecSyncRto,
     "Send all run-time objects of a class to the peer again, or have the peer send all of its own"},
    {"clear nsrp counters", CommandId::kClearNsrpCounters, "Reset the counters of this device"},
    {"clear cluster nsrp counters", CommandId::kClearClusterNsrpCounters, "Reset the counters of all living members",
     Propagation::kAlways},
};

}  // namespace

std::span<const Row> operation_rows() {
  return kRows;
}

}  // namespace nsrp::config
