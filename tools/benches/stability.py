# SPDX-License-Identifier: Apache-2.0
"""Whether a healthy pair stays as it is while both processors are busy: false failovers, late timers, missed heartbeats."""
import json
import os
import re
import subprocess
import sys
import time

from nsrpbench.lease import Lease
from nsrplab import GATEWAYS, Lab, LabError

HELP = "false failovers of a pair beside stress-ng on all processors"
LOOK_EVERY_S = 0.5
TELL_EVERY_S = 300


def add_arguments(parser):
    parser.add_argument("--minutes", type=float, default=60, help="default %(default)s")
    parser.add_argument("--interval", type=int, default=100, metavar="MS", help="hb-interval; default %(default)s")
    parser.add_argument("--threshold", type=int, default=3, metavar="N", help="hb-threshold; default %(default)s")
    parser.add_argument("--load", default=f"--cpu {os.cpu_count()}", metavar="WORDS",
                        help="what stress-ng is told; default %(default)r")
    parser.add_argument("--nice", type=int, default=0, help="of the load; default %(default)s")
    parser.add_argument("--json", metavar="FILE", help="keep the figures there")


class Watch:
    """What the two data paths say of mastership, twice a second, and what the daemons logged, at the end."""

    def __init__(self, lab, leases):
        self.lab, self.leases = lab, leases
        self.terms = {name: lease.term() for name, lease in leases.items()}
        self.master = lab.wait_pair()
        self.looks = self.both = self.none = 0
        self.worst_load = 0.0

    def look(self):
        holding = [name for name, lease in self.leases.items() if lease.in_force()]
        self.looks += 1
        self.both += len(holding) == 2
        self.none += len(holding) == 0
        self.worst_load = max(self.worst_load, os.getloadavg()[0])

    def events(self, name, event):
        """The daemon's log lines with that event, since the pair stood."""
        with open(self.lab[name].log_file, encoding="utf-8", errors="replace") as log:
            return [line.strip() for line in log if re.search(rf"\bevent={event}\b", line)]


def figures(watch, before, lab):
    """Per gateway: masterships lost and won since the beginning, and what its daemon measured of itself and its peer."""
    rows = {}
    for name in GATEWAYS:
        status = lab[name].status()
        if status is None:
            raise LabError(f"nsrpd on {name} does not answer any more: {lab[name].log_tail()}")
        peer = next(iter(status["peers"]), {})
        rows[name] = {
            "state": lab[name].state(),
            "state_changes": len(watch.events(name, "vsd_state")) - before[name]["vsd_state"],
            "peers_lost": len(watch.events(name, "peer_lost")) - before[name]["peer_lost"],
            "worst_timer_lateness_ms": status["frames"]["worst_timer_lateness_us"] / 1000,
            "heartbeats": peer.get("heartbeats", 0) - before[name]["heartbeats"],
            "missed": peer.get("missed", 0) - before[name]["missed"],
        }
    return rows


def beginnings(watch, lab):
    found = {}
    for name in GATEWAYS:
        peer = next(iter(lab[name].status()["peers"]), {})
        found[name] = {"vsd_state": len(watch.events(name, "vsd_state")),
                       "peer_lost": len(watch.events(name, "peer_lost")),
                       "heartbeats": peer.get("heartbeats", 0), "missed": peer.get("missed", 0)}
    return found


def tell(watch, rows, arguments, elapsed_s, load):
    false = max(row["state_changes"] for row in rows.values()) > 0
    failovers = sum(row["state"] == "master" and name != watch.master for name, row in rows.items())
    changes = sum(row["state_changes"] for row in rows.values())
    print(f"{elapsed_s / 60:.1f} minutes, hb-interval {arguments.interval} ms x {arguments.threshold}, beside "
          f"'{load}'; load average up to {watch.worst_load:.1f} on {os.cpu_count()} processors")
    print(f"false failovers: {changes if false else 0} changes of state, "
          f"{sum(row['peers_lost'] for row in rows.values())} peers declared dead"
          + (f"; {failovers} mastership moved" if failovers else ""))
    for name, row in rows.items():
        print(f"  {name}: {row['state']}, worst lateness of the heartbeat timer {row['worst_timer_lateness_ms']:.1f} ms, "
              f"missed {row['missed']} of {row['heartbeats'] + row['missed']} heartbeats of the other")
    print(f"leases looked at {watch.looks} times: both in force {watch.both}, none {watch.none}", flush=True)
    return changes


def measure(lab, arguments):
    lab.configure(priority={"gwA": 50, "gwB": 100}, hb_interval=arguments.interval, hb_threshold=arguments.threshold)
    lab.start_gateways()
    lab.wait_pair()
    words = ["nice", "-n", str(arguments.nice), "stress-ng", *arguments.load.split(), "--timeout", "0", "--quiet"]
    with Lease(lab["gwA"]) as lease_a, Lease(lab["gwB"]) as lease_b:
        watch = Watch(lab, {"gwA": lease_a, "gwB": lease_b})
        before = beginnings(watch, lab)
        with subprocess.Popen(words, stdout=subprocess.DEVNULL) as load:
            try:
                return stand(lab, watch, before, arguments, load, " ".join(words[3:] if not arguments.nice else words))
            finally:
                load.terminate()


def stand(lab, watch, before, arguments, load, name):
    began = told = time.monotonic()
    while (elapsed := time.monotonic() - began) < arguments.minutes * 60:
        time.sleep(LOOK_EVERY_S)
        if load.poll() is not None:
            raise LabError("stress-ng ended by itself: there was no load any more")
        watch.look()
        if time.monotonic() - told >= TELL_EVERY_S:
            told = time.monotonic()
            tell(watch, figures(watch, before, lab), arguments, elapsed, name)
    rows = figures(watch, before, lab)
    changes = tell(watch, rows, arguments, elapsed, name)
    if changes:
        for gateway in GATEWAYS:
            for line in watch.events(gateway, "(vsd_state|peer_lost)")[-20:]:
                print(f"  {gateway}: {line}", file=sys.stderr)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"minutes": elapsed / 60, "load": name, "both": watch.both, "none": watch.none, **rows}, file)
    return 1 if changes or watch.both or watch.none else 0


def run(arguments):
    with Lab(f"bench{os.getpid()}-") as lab:
        lab.up()
        return measure(lab, arguments)
