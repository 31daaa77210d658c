# SPDX-License-Identifier: Apache-2.0
"""What a takeover costs 200 TCP connections while the gateways hold many other sessions."""
import os
import sys

from nsrplab import Lab, LabError, Load, wait_until
from nsrplab.sessions import swallow_storm

from .judge import Judge
from .keepalived import Keepalived
from .mirrors import MOST_SESSIONS
from .opennsrp import OpenNsrp
from .rto_rate import FILL_RATE
from .system import PREFERRED, STANDBY
from .table import spread, table

CONNECTIONS = 200


def open_nsrp(lab):
    for gateway in lab.gateways.values():
        gateway.options = ["--max-sessions", str(MOST_SESSIONS)]
    return OpenNsrp(lab, "fast", 20, 5)


SYSTEMS = (open_nsrp, lambda lab: Keepalived(lab, "fast", 0.01))


class Takeovers:
    title = "takeover"

    def __init__(self):
        self.figures, self.failures = [], []

    def measure(self, arguments):
        for system in SYSTEMS:
            for thousands in arguments.background:
                for number in range(arguments.runs):
                    self.attempt(system, thousands * 1000, number)

    def attempt(self, system, background, number):
        with Lab(f"bench{os.getpid()}-") as lab:
            lab.up(ha_switch=True)
            swallow_storm(lab.network)
            for name in lab.gateways:
                lab.network.run(name, "sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=3600")
            lab.echo_server("server")
            pair = system(lab)
            try:
                pair.start()
                sample = self.take_over(pair, background)
                self.figures.append({"system": pair.name, "background": background, "stall_ms": sample.stall_ms,
                                     "gap_ms": sample.gap_ms, "broken": sample.broken})
                print(f"  {pair.name}: {background} other sessions, run {number + 1}: stall {sample.stall_ms:.0f} ms",
                      file=sys.stderr, flush=True)
            except LabError as error:
                self.failures.append(f"{pair.name}, {background} other sessions: {error}")
                print(f"  {self.failures[-1]}", file=sys.stderr, flush=True)
            finally:
                pair.stop()

    @staticmethod
    def take_over(pair, background):
        if background:
            pair.lab.storm(background, rate=FILL_RATE).wait()
            wait_until(lambda: pair.replicated(STANDBY) >= 0.99 * background, 120,
                       f"{background} sessions at {STANDBY}")
        with Judge(pair.lab, Load(connections=CONNECTIONS, udp_rate=1000)) as judge:
            judge.wait_flowing()
            pair.wait_replicated(background + CONNECTIONS)
            pair.cut(PREFERRED)
            pair.wait_taken_over()
            return judge.verdict(pair.holders())

    def report(self):
        rows = []
        for system in dict.fromkeys(f["system"] for f in self.figures):
            for background in dict.fromkeys(f["background"] for f in self.figures):
                of_these = [f for f in self.figures if (f["system"], f["background"]) == (system, background)]
                if of_these:
                    rows.append([system, background, len(of_these), spread(f["stall_ms"] for f in of_these),
                                 spread(f["gap_ms"] for f in of_these),
                                 f"{sum(f['broken'] for f in of_these)}/{CONNECTIONS * len(of_these)}"])
        return (f"Takeover of {CONNECTIONS} TCP connections when the master falls silent; min/median/max\n" + table(
            ["system", "other sessions", "runs", "longest TCP stall ms", "UDP gap ms", "TCP broken"], rows))
