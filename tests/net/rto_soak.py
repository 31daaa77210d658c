#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TCP, UDP and ICMP sessions that come and go, and every 20 seconds a fault drawn by lot: in the end both gateways have
the same sessions, and no connection has broken.

NSRP_SOAK_MINUTES makes it longer than ctest has time for, NSRP_SOAK_SEED draws the same faults again.
"""
import os
import random

from harness import GATEWAYS, LabTest, Load, main, time, wait_until
from nsrplab.sessions import swallow_storm
from nsrplab.system import Process

MINUTES = float(os.environ.get("NSRP_SOAK_MINUTES", "0.5"))
SEED = int(os.environ.get("NSRP_SOAK_SEED", str(random.randrange(10**6))))
EVERY_S = 20
NEW_PER_S = 300
CONNECTIONS = 70
# Resident memory follows the number of sessions, which swings; a leak goes on and on.
MOST_GROWTH = 1.5
# Short sessions live half a minute more after the last packet, and a minute more after a takeover.
DEADLINE_S = 180
PATIENCE_S = 120  # a long run meets every other work of the machine


class RtoSoak(LabTest):
    ha_switch = True
    settings = {"priority": {"gwA": 50, "gwB": 100}, "hb_interval": 500}

    def setUp(self):
        super().setUp()
        swallow_storm(self.lab.network)
        self.lots = random.Random(SEED)
        self.memory = {}  # by process: kB, looked at after each fault
        print(f"    NSRP_SOAK_SEED={SEED}")

    def short_sessions(self, seconds):
        """New UDP sessions that end half a minute later, and pings, each a session of its own."""
        storm = self.lab.storm(round(NEW_PER_S * seconds), rate=NEW_PER_S)
        return storm, self.lab._helper(Pings(self.lab.network))

    # Faults: each ends before the next one

    def kill(self, gateway):
        self.lab[gateway].kill9()
        time.sleep(self.lots.uniform(0, 5))
        self.lab[gateway].start(PATIENCE_S)

    def freeze(self, gateway):
        self.lab[gateway].freeze()
        time.sleep(self.lots.uniform(1, 8))
        self.lab[gateway].thaw()

    def cut(self, link):
        self.lab.cut(link, silent=True)
        time.sleep(self.lots.uniform(1, 8))
        self.lab.heal(link)

    def cut_control(self, _):
        self.cut("ha1")

    def cut_data(self, _):
        self.cut("ha2")

    def hand_over(self, _):
        master = self.lab.master()
        if master:
            self.lab[master].cli("exec nsrp vsd-group id 0 mode backup")

    def sync_again(self, gateway):
        self.lab[gateway].cli("exec nsrp sync rto all from peer")

    # What must hold

    def look_at_memory(self):
        for name in GATEWAYS:
            process = self.lab[name].process
            with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
                resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
            self.memory.setdefault((name, process.pid), []).append(resident)

    def assert_memory_is_flat(self):
        for (name, _), seen in self.memory.items():
            settled = seen[len(seen) // 3:]
            print(f"    {name}: resident memory {settled[0]} to {settled[-1]} kB after {len(seen)} faults")
            if len(settled) > 5:
                self.assertLess(max(settled[-3:]), MOST_GROWTH * max(settled[:3]))

    def test_random_faults(self):
        faults = [self.kill, self.freeze, self.cut_control, self.cut_data, self.hand_over, self.sync_again]
        self.start_pair()
        self.start_traffic(Load(CONNECTIONS - 20, udp_rate=200, udp_flows=20), Load(20, udp_rate=0, v6=True))
        end = time.monotonic() + 60 * MINUTES
        helpers = self.short_sessions(60 * MINUTES)
        while time.monotonic() < end:
            began = time.monotonic()
            fault, gateway = self.lots.choice(faults), self.lots.choice(GATEWAYS)
            print(f"    {time.strftime('%H:%M:%S')} {fault.__name__} {gateway}", flush=True)
            fault(gateway)
            self.lab.wait_pair(PATIENCE_S)
            self.look_at_memory()
            wait_until(lambda s=began: time.monotonic() > s + EVERY_S, EVERY_S + 1, "the next fault")
        for helper in helpers:
            helper.process.end()
        self.wait_flowing()
        comparison = self.wait_equal_tables(DEADLINE_S)
        print(f"    {comparison.summary()}")
        self.assertGreaterEqual(comparison.first, CONNECTIONS)
        self.assert_memory_is_flat()
        self.stop_traffic()


class Pings:
    """Echo requests from the client to the server, two to a session."""

    def __init__(self, network):
        self.process = Process.spawn(network.inside("client") + [
            "sh", "-c", "while :; do ping -q -c 2 -i 0.3 -W 1 10.2.0.100; done"])


if __name__ == "__main__":
    main()
