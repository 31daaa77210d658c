# SPDX-License-Identifier: Apache-2.0
"""What a failure, a planned switchover and the way back cost the traffic: OpenNSRP, and keepalived + conntrackd."""
import dataclasses
import json
import os
import sys
import time

from nsrpbench.arguments import words_of
from nsrpbench.judge import Judge
from nsrpbench.keepalived import Keepalived
from nsrpbench.opennsrp import OpenNsrp
from nsrpbench.system import PREFERRED, STANDBY
from nsrpbench.table import ratio, spread, table
from nsrplab import Lab, LabError, Load

HELP = "gap, loss and broken connections of failovers, beside keepalived + conntrackd"

# The tier says who is compared with whom: settings that suit many networks, and the fastest ones this machine keeps
# without false alarms.
SYSTEMS = {
    "nsrp": lambda lab: OpenNsrp(lab, "usual", 200, 3),
    "keepalived": lambda lab: Keepalived(lab, "usual", 1),
    "nsrp-fast": lambda lab: OpenNsrp(lab, "fast", 20, 5),
    "keepalived-fast": lambda lab: Keepalived(lab, "fast", 0.01),
}
SCENARIOS = {
    "kill": "kill -9 of the master's daemons",
    "cut": "the master's cables all fall silent, carrier stays",
    "planned": "SIGTERM to the master's daemon",
    "failback": "the preferred node returns after a power cycle and preempts",
}


def add_arguments(parser):
    parser.add_argument("--runs", type=int, default=10, help="of each scenario; default %(default)s")
    parser.add_argument("--systems", type=words_of(SYSTEMS), default=list(SYSTEMS), metavar="A,B",
                        help=f"which of {', '.join(SYSTEMS)}; default all")
    parser.add_argument("--scenarios", type=words_of(SCENARIOS), default=list(SCENARIOS), metavar="A,B",
                        help=f"which of {', '.join(SCENARIOS)}; default all")
    parser.add_argument("--connections", type=int, default=200, help="TCP connections; default %(default)s")
    parser.add_argument("--udp-rate", type=int, default=1000, help="packets per second; default %(default)s")
    parser.add_argument("--json", metavar="FILE", help="keep every single figure there")


class Runner:
    """One system in one lab through all its runs."""

    def __init__(self, pair, arguments):
        self.pair, self.arguments = pair, arguments
        self.load = Load(connections=arguments.connections, udp_rate=arguments.udp_rate)
        self.samples = {scenario: [] for scenario in arguments.scenarios}
        self.failures = []

    def run(self):
        ways_to_fail = [s for s in ("kill", "cut", "planned") if s in self.samples]
        for number in range(self.arguments.runs):
            # The way back is measured once in each run, after the first of the failures.
            for index, scenario in enumerate(ways_to_fail or ["kill"]):
                self.attempt(scenario, measure_return="failback" in self.samples and index == 0)
            print(f"  {self.pair.name}: run {number + 1} of {self.arguments.runs} done", file=sys.stderr, flush=True)

    def attempt(self, scenario, measure_return):
        """A whole circle, from gwA to gwB and back. After a mishap the pair starts afresh."""
        try:
            if not self.pair.holders():
                self.pair.start()
            self.lose_master(scenario)
            self.return_preferred(scenario, measure_return)
        except LabError as error:
            self.failures.append(f"{self.pair.name}, {scenario}: {error}")
            print(f"  {self.failures[-1]}", file=sys.stderr, flush=True)
            self.pair.heal(PREFERRED)
            self.pair.stop()

    def lose_master(self, scenario):
        with Judge(self.pair.lab, self.load) as judge:
            judge.wait_flowing()
            self.pair.wait_replicated(self.arguments.connections)
            {"kill": self.pair.kill, "cut": self.pair.cut, "planned": self.pair.leave}[scenario](PREFERRED)
            self.pair.wait_taken_over()
            sample = judge.verdict(self.pair.holders())
        if scenario in self.samples:
            self.samples[scenario].append(sample)

    def return_preferred(self, scenario, measure):
        self.pair.wipe(PREFERRED)
        if scenario == "cut":
            self.pair.heal(PREFERRED)
        self.pair.wait_holders({STANDBY})
        if not measure:
            self.pair.boot(PREFERRED)
            self.pair.wait_ready()
            return
        with Judge(self.pair.lab, self.load) as judge:
            judge.wait_flowing()
            self.pair.boot(PREFERRED)
            self.pair.wait_ready()
            self.samples["failback"].append(judge.verdict(self.pair.holders()))


def measure(name, arguments, runners):
    with Lab(f"bench{os.getpid()}-") as lab:
        # Cables that can fall silent with their carrier up need a switch at the other end.
        lab.up(ha_switch=True)
        server = lab.echo_server("server")
        runner = Runner(SYSTEMS[name](lab), arguments)
        runners.append(runner)
        try:
            runner.run()
        finally:
            runner.pair.stop()
            server.stop()


def rows_of(scenario, runners):
    rows = []
    for runner in runners:
        samples = runner.samples[scenario]
        peer = next((r for r in runners if r.pair.tier == runner.pair.tier and isinstance(r.pair, OpenNsrp)), None)
        reference = peer.samples[scenario] if peer else []
        rows.append([
            runner.pair.name,
            len(samples),
            spread(s.gap_ms for s in samples),
            "1" if runner is peer else ratio((s.gap_ms for s in samples), (s.gap_ms for s in reference)),
            spread(s.lost for s in samples),
            f"{sum(s.broken for s in samples)}/{sum(s.connections for s in samples)}",
            sum(s.broken > 0 for s in samples),
            spread(s.stall_ms for s in samples),
            " ".join(sorted({s.holders for s in samples})),
        ])
    return rows


def report(runners, arguments):
    heading = ["system", "runs", "gap ms", "ratio", "packets lost", "TCP broken", "in runs", "TCP stall ms", "holders"]
    print(f"\n{arguments.connections} TCP connections and {arguments.udp_rate} UDP packets/s through SNAT; "
          "min/median/max; ratio: median gap to OpenNSRP's at settings of the same kind\n")
    for scenario in arguments.scenarios:
        print(f"{scenario}: {SCENARIOS[scenario]}\n{table(heading, rows_of(scenario, runners))}\n")
    for runner in runners:
        for failure in runner.failures:
            print(f"failed run: {failure}")


def run(arguments):
    began = time.monotonic()
    runners = []
    try:
        for name in arguments.systems:
            measure(name, arguments, runners)
    except KeyboardInterrupt:
        print("interrupted: what is measured so far", file=sys.stderr)
    report(runners, arguments)
    print(f"{time.monotonic() - began:.0f} s")
    if arguments.json:
        figures = {r.pair.name: {s: [dataclasses.asdict(x) for x in samples] for s, samples in r.samples.items()}
                   for r in runners}
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)
    return 1 if any(runner.failures for runner in runners) else 0
