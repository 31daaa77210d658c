# SPDX-License-Identifier: Apache-2.0
"""What the net tests share: a lab for each test, a running pair, traffic, and what must hold afterwards."""
import itertools
import os
import re
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))

from nsrplab import GATEWAYS, STATE_ROOT, THREE_GATEWAYS, Lab, Load, wait_until  # noqa: E402
from nsrplab.capture import HEADER_ONLY  # noqa: E402

SKIPPED = 77  # what ctest takes for "skipped"
# A test does not time: a shared machine can stop for a second on its own. This only tells an outage that ends from one
# that does not; how long a takeover takes is what tools/bench measures.
MAX_GAP_MS = 10_000
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:")


class LabTest(unittest.TestCase):
    """Each test has a lab of its own, with both gateways configured and none started."""
    ha_switch = False
    gateways = GATEWAYS
    settings = {"priority": {"gwA": 50, "gwB": 100}}
    _labs = 0

    def setUp(self):
        if LabTest._labs == 0:
            remove_orphans()
        LabTest._labs += 1
        self.lab = Lab(f"nt{os.getpid()}-{LabTest._labs}-")
        self.addCleanup(self._take_down)
        self.lab.up(ha_switch=self.ha_switch, gateways=self.gateways)
        self.lab.configure(**self.settings)
        self.clients = []

    def run(self, result=None):
        """As ever, and a failure shows the gateways' logs while they are still there."""
        method = getattr(self, self._testMethodName)

        def observed():
            try:
                method()
            except BaseException:
                self._show_gateways()
                if os.environ.get("NSRP_KEEP_LAB"):
                    print(f"kept: tools/lab --prefix {self.lab.prefix} status", file=sys.stderr)
                    os._exit(1)
                raise
        setattr(self, self._testMethodName, observed)
        return super().run(result)

    def _show_gateways(self):
        print(f"\n{self.lab.describe()}", file=sys.stderr)
        for client in self.clients:
            print("\n".join(map(str, client.lines("progress")[-5:])), file=sys.stderr)
        for name, gateway in self.lab.gateways.items():
            print(f"--- {name} ({'alive' if gateway.alive() else 'not running'})\n{gateway.log_tail(60)}", file=sys.stderr)

    def _take_down(self):
        logs = {name: gateway.log_tail(1000) for name, gateway in self.lab.gateways.items()}
        self.lab.down()
        self.assertEqual(self.lab.leftovers(), [], "the lab left something behind")
        for name, log in logs.items():
            self.assertNotRegex(log, SANITIZER, f"nsrpd on {name} was reported by a sanitizer")

    # The pair

    def start_pair(self):
        """Both daemons, until one is master and the other in sync behind it. Returns the master's name."""
        self.lab.start_gateways()
        return self.lab.wait_pair()

    def wait_mirrored(self, master, count):
        """Until the other gateway holds that many sessions: what is not mirrored yet cannot survive."""
        other = self.lab[self.lab.other(master)]
        wait_until(lambda: other.sessions() >= count, 30, f"{count} sessions mirrored to {other.name}")

    def wait_equal_tables(self, deadline_s=60):
        """Until both gateways' kernels have the same sessions, as an outsider reads them. Returns the comparison."""
        comparison = self.lab.compare_sessions()

        def equal():
            nonlocal comparison
            comparison = self.lab.compare_sessions()
            return comparison.equal and comparison
        return wait_until(equal, deadline_s, "equal conntrack tables", 0.5,
                          instead=lambda: "\n".join([comparison.summary(), *comparison.examples]))

    # HA links

    def link(self, gateway, ifname):
        """What a gateway says of one of its HA links."""
        return next(l for l in self.lab[gateway].status()["ha_links"] if l["ifname"] == ifname)

    def control_links(self):
        """On which link each gateway has the control role."""
        return [next((l["ifname"] for l in gateway.status()["ha_links"] if "control" in l["role"]), None)
                for gateway in self.lab.gateways.values() if gateway.alive()]

    def wait_control(self, ifname, deadline_s=20):
        """Until every gateway has its control link there."""
        wait_until(lambda: set(self.control_links()) == {ifname}, deadline_s, f"control on {ifname}",
                   instead=self.control_links)

    def assert_control_stays(self, ifname, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.assertEqual(set(self.control_links()), {ifname})
            time.sleep(0.1)

    def events(self, gateway, number):
        """The texts of a gateway's events of that id."""
        return [e["text"] for e in self.lab[gateway].ask("get event") if e["id"] == number]

    def make_master(self, gateway):
        """Hands VSD 0 to this gateway, in order."""
        if self.lab.master() != gateway:
            self.command(gateway, "exec nsrp vsd-group id 0 mode master")
        self.lab.wait_master(gateway)

    def command(self, gateway, words):
        """A command that must be taken; returns what it prints."""
        done = self.lab[gateway].cli(words)
        self.assertEqual((done.returncode, done.stderr), (0, ""), words)
        return done.stdout

    # Traffic

    def start_traffic(self, *loads):
        """Echo servers where needed and a client for each load, until all of it flows."""
        for host in {("server" if load.host == "client" else "client") for load in loads}:
            self.lab.echo_server(host)
        self.clients = [self.lab.traffic(load) for load in loads]
        for client in self.clients:
            client.wait_ready()
        self.wait_flowing()

    def wait_flowing(self):
        for client in self.clients:
            client.wait_flowing()

    def stop_traffic(self):
        """Ends the clients, prints their figures, and returns them. No connection may have broken."""
        results = [client.stop() for client in self.clients]
        for result in results:
            udp, tcp = result.get("udp"), result.get("tcp")
            if udp:
                print(f"    udp: {udp['lost']} of {udp['sent']} lost, gaps of 100 ms and more: "
                      + (", ".join(f"{g['length_ms']:.0f} ms" for g in udp["gaps"] if g["length_ms"] >= 100) or "none")
                      + f"; the sender's own longest pause {udp['longest_send_gap_ms']:.0f} ms")
            if tcp:
                print(f"    tcp: {tcp['broken']} of {tcp['established']} broken {tcp['reasons'] or ''}, longest stall "
                      f"{tcp['longest_stall_ms']:.0f} ms, median {tcp['median_stall_ms']:.0f} ms")
        for result in results:
            if "tcp" in result:
                self.assertEqual((result["tcp"]["never_established"], result["tcp"]["broken"]), (0, 0),
                                 f"connections broke: {result['tcp']['reasons']}")
            if "udp" in result:
                self.assertEqual(result["udp"]["corrupt"], 0)
        return results

    def assert_outage_ended(self, results):
        for result in results:
            udp = result.get("udp")
            # What the sender itself was late is not the gateways' doing.
            if udp and udp["longest_send_gap_ms"] < 300:
                self.assertLess(udp["longest_gap_ms"], MAX_GAP_MS)

    def kill_both_ways(self, *loads):
        """Under this traffic the master dies, and when the pair stands again the other one. Nothing may break."""
        self.start_pair()
        self.start_traffic(*loads)
        sessions = sum(load["connections"] + (1 if load["udp_rate"] else 0) for load in loads)
        for _ in range(2):  # A to B, and back
            master = self.lab.wait_pair()
            self.wait_mirrored(master, sessions)
            self.wait_flowing()
            self.lab[master].kill9()
            self.lab.wait_master(self.lab.other(master))
            self.wait_flowing()
            self.lab[master].start()
        self.lab.wait_pair()
        self.wait_flowing()
        self.assert_outage_ended(self.stop_traffic())

    # Observations

    def assert_master_stays(self, name, seconds):
        """For a while, this gateway and no other is master, whenever one looks."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.assertEqual(self.lab.masters(), [name])
            time.sleep(0.1)

    def counter(self, gateway, name):
        return self.lab[gateway].ask("get nsrp counters")[name]

    def virtual_mac(self, gateway_address, host="client"):
        """What a host has learned as the hardware address of a VSI."""
        self.lab.network.run(host, "ping", "-c", "1", "-W", "5", gateway_address)
        neighbour = self.lab.network.run(host, "ip", "neigh", "show", gateway_address).stdout
        return re.search(r"lladdr (\S+)", neighbour)[1]


def remove_orphans():
    """Labs of test programs that were killed, as ctest does at its limit, before they could take them down."""
    for prefix in os.listdir(STATE_ROOT) if os.path.isdir(STATE_ROOT) else []:
        owner = re.fullmatch(r"nt(\d+)-\d+-", prefix)
        if owner and not os.path.exists(f"/proc/{owner[1]}"):
            Lab(prefix).down()


class VirtualMacWatch:
    """Who uses virtual MACs, from now until owners(): captures at both gateways' switch ports on both sides, while each
    gateway is asked for the VSI's address by itself."""

    def __init__(self, lab):
        self.captures = {(switch, name): lab.capture(switch, name, snap_bytes=HEADER_ONLY)
                         for switch in ("trust", "untrust") for name in GATEWAYS}
        for switch in ("trust", "untrust"):
            lab.arp_prober(switch)

    def wait_used(self, gateway):
        """Until this gateway was seen using virtual MACs on both sides: the question who does is being asked."""
        for switch in ("trust", "untrust"):
            capture = self.captures[switch, gateway]
            wait_until(capture.saw_any, 10, f"a virtual MAC of {gateway} on {switch}")
        return self

    def owners(self):
        """By switch, the gateways in the order in which they used virtual MACs: ["gwA", "gwB"] is one clean change."""
        times = {key: capture.stop_times() for key, capture in self.captures.items()}
        return {switch: self._in_turn({name: times[switch, name] for name in GATEWAYS})
                for switch in ("trust", "untrust")}

    @staticmethod
    def _in_turn(times_by_gateway):
        merged = sorted((time_ns, name) for name, times in times_by_gateway.items() for time_ns in times)
        return [name for name, _ in itertools.groupby(merged, key=lambda frame: frame[1])]


def main():
    if os.geteuid() != 0:
        print("needs root: skipped")
        sys.exit(SKIPPED)
    unittest.main(module="__main__", verbosity=2)


__all__ = ["GATEWAYS", "THREE_GATEWAYS", "LabTest", "Load", "VirtualMacWatch", "main", "time", "wait_until"]
