#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Transparent mode: client and server are in one network, which runs through the gateways as through cables. Whatever
happens one of the two is closed: a loop would show as a broadcast that arrives twice, or comes back to its sender."""
import collections
import os
import sys

from harness import LabTest, Load, main, wait_until
from nsrplab.system import Process
from nsrplab.topology import TRUST, UNTRUST

# Broadcasts with a number each, 200 a second: at the start, at the end and in between.
COUNTER = """
import socket, time
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth0", 0))
for number in range(1 << 30):
    wire.send(b"\\xff" * 6 + bytes.fromhex("02c000000001") + b"\\x88\\xb6" + number.to_bytes(46, "big"))
    time.sleep(0.005)
"""
MACS = {"client": "02:c0:00:00:00:01", "server": "02:d0:00:00:00:01"}
# Strict about sessions nobody told of (the lab sets tcp_loose to 0): what lives on, lives on by the mirror. Bridged
# packets are seen here because of br_netfilter.
STATEFUL = """
table inet bridged {
  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state invalid counter drop
  }
}
"""


def config(name, extra=()):
    return "\n".join([
        f"set hostname {name}", "set interface ha1 zone ha", "set interface ha2 zone ha",
        "set interface eth1 zone v1-trust", "set interface eth2 zone v1-untrust", "set nsrp cluster id 1",
        f"set nsrp vsd-group id 0 priority {50 if name == 'gwA' else 100}", "set nsrp vsd-group hb-interval 200",
        "set nsrp rto-mirror sync", *extra]) + "\n"


class Transparent(LabTest):
    def setUp(self):
        super().setUp()
        run = self.lab.network.run
        for name, gateway in self.lab.gateways.items():
            gateway.configure(config(name))
            run(name, "nft", "flush", "ruleset")
            if os.path.isdir("/proc/sys/net/bridge"):
                run(name, "nft", "-f", "-", text_input=STATEFUL)
        for v6 in (False, True):
            run("client", "ip", "route", "replace", UNTRUST.network(v6), "dev", "eth0")
            run("server", "ip", "route", "replace", TRUST.network(v6), "dev", "eth0")

    # What is seen from outside

    def count_broadcasts(self):
        expression = "ether proto 0x88b6"
        self.arrived = self.lab.capture("server", "eth0", expression)
        self.came_back = self.lab.capture("client", "eth0", expression)
        self.counter_process = Process.spawn(
            self.lab.network.inside("client") + [sys.executable, "-c", COUNTER])
        self.addCleanup(self.counter_process.kill)

    def assert_no_broadcast_came_twice(self):
        self.counter_process.kill()
        numbers = collections.Counter(frame.data[14:] for frame in self.arrived.stop())
        self.assertGreater(len(numbers), 100)
        self.assertEqual([n for n, times in numbers.items() if times > 1], [])
        self.assertEqual(self.came_back.stop(), [])

    def path(self, switch, host):
        """The port through which a switch sends to a host."""
        for line in self.lab.network.run(switch, "bridge", "fdb", "show", "br", "br0").stdout.splitlines():
            if line.startswith(MACS[host]):
                return line.split()[2]
        return None

    def paths(self):
        return {self.path("trust", "server"), self.path("untrust", "client")}

    def is_port(self, gateway, ifname):
        return "master nsrpv1" in self.lab[gateway].ip("link", "show", ifname)

    def ping(self, v6=False):
        return self.lab.network.run("client", "ping", "-c", "1", "-W", "1", UNTRUST.host(v6), check=False).returncode == 0

    def quiet_hosts_known(self):
        """Client and server have been heard of, by switches and by both gateways, and say nothing more."""
        wait_until(self.ping, 20, "an answer through the gateways")
        backup = self.lab[self.lab.other(self.lab.master())]

        def held():
            classes = backup.status()["rto_mirror"]["classes"]
            return next(each["held_for_peer"] for each in classes if each["name"] == "mac") >= 2
        wait_until(held, 20, "both hosts' addresses mirrored")

    # What must hold

    def test_no_broadcast_comes_twice_while_both_start_and_one_stops(self):
        self.count_broadcasts()
        self.assertFalse(self.arrived.saw_any())
        master = self.start_pair()
        wait_until(self.arrived.saw_any, 10, "a broadcast that arrives")
        self.assertEqual(self.lab[master].terminate(), 0)
        self.assertFalse(self.is_port(master, "eth1"))
        self.lab.wait_master(self.lab.other(master))
        wait_until(lambda: self.ping() and self.ping(True), 20, "answers by IPv4 and IPv6")
        self.assert_no_broadcast_came_twice()

    def test_switches_learn_the_new_path_although_the_hosts_say_nothing(self):
        self.start_pair()
        for takeover in ("kill", "order"):
            master = self.lab.wait_pair()
            self.quiet_hosts_known()
            self.assertEqual(self.paths(), {master})
            if takeover == "kill":
                self.lab[master].kill9()
            else:
                self.command(master, "exec nsrp vsd-group id 0 mode backup")
            other = self.lab.other(master)
            self.lab.wait_master(other)
            wait_until(lambda o=other: self.paths() == {o}, 5, "the new path in both switches", instead=self.paths)
            if takeover == "kill":
                self.lab[master].start()

    def test_connections_live_on_and_no_broadcast_comes_twice(self):
        mirrored = os.path.isdir("/proc/sys/net/bridge")
        load = Load(50, udp_rate=200)
        self.count_broadcasts()
        self.start_pair()
        self.start_traffic(load)
        for takeover in ("kill", "order"):
            master = self.lab.wait_pair()
            if mirrored:
                self.wait_mirrored(master, load["connections"])
            self.wait_flowing()
            if takeover == "kill":
                self.lab[master].kill9()
            else:
                self.command(master, "exec nsrp vsd-group id 0 mode backup")
            self.lab.wait_master(self.lab.other(master))
            self.wait_flowing()
            if takeover == "kill":
                self.lab[master].start()
        self.assert_outage_ended(self.stop_traffic())
        self.lab.wait_pair()
        self.assert_no_broadcast_came_twice()

    def test_a_backup_stays_closed_when_ports_go_and_when_it_leaves_everything_in_place(self):
        self.count_broadcasts()
        self.lab["gwB"].options = ["--keep"]
        self.start_pair()
        self.make_master("gwA")
        wait_until(self.ping, 20, "an answer through gwA")
        for gateway, state in (("gwA", "open"), ("gwB", "closed")):
            device = {"bridge": "nsrpv1", "state": state, "ports": ["eth1", "eth2"]}
            wait_until(lambda g=gateway, d=device: self.lab[g].status()["transparent"] == d, 10, f"{gateway} {state}")
            self.assertIn(f"port of nsrpv1, {state}", self.command(gateway, "get interface"))
        self.assertEqual(self.lab["gwB"].terminate(), 0)
        self.assertTrue(self.is_port("gwB", "eth1"))  # kept
        self.assertIn("nsrp_port_out", self.lab.network.run("gwB", "tc", "filter", "show", "dev", "eth1", "egress").stdout)
        self.lab["gwB"].start()
        self.command("gwB", "unset interface eth1 zone")
        self.assertEqual([self.is_port("gwB", i) for i in ("eth1", "eth2")], [False, True])
        self.command("gwB", "set interface eth1 zone v1-dmz")
        self.assertEqual([self.is_port("gwB", i) for i in ("eth1", "eth2")], [True, True])
        self.assertGreater(self.counter("gwB", "port_drop_not_master"), 0)
        self.assertTrue(self.ping())
        self.assert_no_broadcast_came_twice()

    def test_a_port_of_another_bridge_is_refused_by_name(self):
        gateway = self.lab["gwA"]
        gateway.ip("link", "add", "br9", "type", "bridge")
        gateway.ip("link", "set", "eth1", "master", "br9")
        gateway.configure(config("gwA").replace("set interface eth1 zone v1-trust\n", ""))
        gateway.start()
        refused = gateway.cli("set interface eth1 zone v1-trust")
        self.assertIn("eth1 belongs to br9: take it out of there first", refused.stderr)
        gateway.ip("link", "set", "eth1", "nomaster")
        self.command("gwA", "set interface eth1 zone v1-trust")
        self.assertTrue(self.is_port("gwA", "eth1"))


if __name__ == "__main__":
    main()
