#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fragments, and "packet too big" through NAT, of sessions whose master is not the gateway they come to."""
from harness import main
from nsrplab import TRUST, UNTRUST
from nsrplab.system import Process, run
from two_vsds import GATEWAYS, TwoVsdsTest, everywhere, second, wait_until

SMALL_MTU = 1300
PORT = 7008
# Networks behind the client and behind the server, each beyond a link with a small MTU.
NEAR = {False: "10.9.0.", True: "fd00:9::"}
FAR = {False: "198.51.100.", True: "fd00:99::"}
NEAR_NAT = f"add rule ip lab_nat postrouting oifname eth2 ip saddr {NEAR[False]}0/24 snat to {UNTRUST.vsi()}"

# Sends a datagram that needs fragments until one comes back, then three more, each of which must.
UDP_CLIENT = """
import socket, sys
address = (sys.argv[1], int(sys.argv[2]))
s = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM)
s.connect(address)
def echoed(datagram, patience_s):
    s.settimeout(patience_s)
    s.send(datagram)
    try:
        return s.recv(9000) == datagram
    except socket.timeout:
        return False
if not any(echoed(b"first" * 800, 0.5) for _ in range(40)):
    sys.exit("no answer")
if not all(echoed(bytes([n]) * 4000, 5) for n in range(3)):
    sys.exit("lost")
"""
UDP_SERVER = """
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", int(sys.argv[1])))
while True:
    datagram, sender = s.recvfrom(9000)
    s.sendto(datagram, sender)
"""
# Takes what comes, or sends 300 kB, as the first byte asks: upload, download.
TCP_SERVER = """
import socket, sys
s = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    connection, _ = s.accept()
    if connection.recv(1) == b"u":
        while connection.recv(65536):
            pass
    else:
        connection.sendall(bytes(300000))
    connection.close()
"""
TCP_CLIENT = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 20)
s.settimeout(20)
s.sendall(sys.argv[3][0].encode())
if sys.argv[3] == "upload":
    s.sendall(bytes(300000))
    s.shutdown(socket.SHUT_WR)
total = 0
while True:
    some = s.recv(65536)
    if not some:
        break
    total += len(some)
if sys.argv[3] == "download" and total != 300000:
    sys.exit(f"only {total} bytes")
"""


class LargePackets(TwoVsdsTest):
    """The client begins its sessions through gwA; all that comes for it from the server's side comes to gwB."""

    def setUp(self):
        super().setUp()
        self.send_server_through(1, v6=True)
        self.ip("server", "neigh", "replace", UNTRUST.vsi(), "lladdr", self.virtual_mac(second(UNTRUST), "server"), "dev",
                "eth0", "nud", "permanent")

    def watch_errors(self, switch, host, v6):
        """Messages "packet too big" that a host sends to gwB's virtual MAC."""
        vmac = self.virtual_mac(second(UNTRUST if host == "server" else TRUST), host)
        kind = "icmp6[0] = 2" if v6 else "icmp[0] = 3"
        return self.lab.capture(switch, host, f"{kind} and ether dst {vmac}")

    def serve(self, namespace, script):
        process = Process.spawn(in_namespace(namespace, script, PORT))
        self.addCleanup(process.kill)
        wait_until(lambda: f":{PORT} " in run(["nsenter", f"--net=/run/netns/{namespace}", "ss", "-Hltun"]).stdout, 10,
                   f"a server in {namespace}")

    def ask(self, namespace, script, *words):
        done = run(in_namespace(namespace, script, *words), check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_every_fragment_of_an_answer_finds_the_master(self):
        self.serve(self.lab.network.namespace("server"), UDP_SERVER)
        for v6 in (False, True):
            with self.subTest(v6=v6):
                self.count_from_here()
                self.ask(self.lab.network.namespace("client"), UDP_CLIENT, UNTRUST.host(v6), PORT)
                # Three datagrams at least, of three fragments each.
                self.assertGreaterEqual(self.gained("gwB", "rx_to_peer_session"), 9)
                self.assertEqual([self.gained(name, "rx_fragment_unknown") for name in GATEWAYS], [0, 0])

    def test_the_way_out_learns_of_a_small_mtu_from_the_other_gateway(self):
        far = self.beyond("server", FAR)
        self.serve(far, TCP_SERVER)
        for v6 in (False, True):
            with self.subTest(v6=v6):
                errors = self.watch_errors("untrust", "server", v6)
                self.ask(self.lab.network.namespace("client"), TCP_CLIENT, FAR[v6] + "2", PORT, "upload")
                self.assert_learned("client", FAR[v6] + "2")
                self.assertGreater(len(errors.stop()), 0)

    def test_the_way_back_learns_of_a_small_mtu_from_the_other_gateway(self):
        near = self.beyond("client", NEAR)
        for name in GATEWAYS:
            self.lab.network.run(name, "nft", NEAR_NAT)
            for v6, network in NEAR.items():
                self.command(name, f"set vrouter trust-vr route {network}{'/64' if v6 else '0/24'} interface eth1 "
                                   f"gateway {TRUST.host(v6)}")
        self.serve(self.lab.network.namespace("server"), TCP_SERVER)
        for v6 in (False, True):
            # What the router at the client itself sends, its errors, goes by way of gwB.
            self.ip("client", "route", "add", everywhere(v6), "via", second(TRUST, v6), "dev", "eth0", "table", "102")
            self.lab.network.run("client", "ip", "-6" if v6 else "-4", "rule", "add", "iif", "lo", "lookup", "102")
        for v6 in (False, True):
            with self.subTest(v6=v6):
                errors = self.watch_errors("trust", "client", v6)
                self.ask(near, TCP_CLIENT, UNTRUST.host(v6), PORT, "download")
                self.assert_learned("server", NEAR[v6] + "2" if v6 else UNTRUST.vsi())
                self.assertGreater(len(errors.stop()), 0)

    def assert_learned(self, host, destination):
        self.assertIn(f"mtu {SMALL_MTU}", self.ip(host, "route", "get", destination).stdout)

    def beyond(self, host, networks):
        """A namespace behind a host that now routes, on a link that takes no more than SMALL_MTU from the host. Its own
        end takes more, so that connections do not begin with small segments."""
        network = self.lab.network
        namespace, port = network.namespace(f"{host}2"), "beyond"
        run(["ip", "netns", "add", namespace])
        run(["ip", "link", "add", "eth0", "netns", namespace, "type", "veth", "peer", "name", port, "netns",
             network.namespace(host)])
        for where, name, number, mtu in ((namespace, "eth0", "2", 1500), (network.namespace(host), port, "1", SMALL_MTU)):
            run(["ip", "-n", where, "link", "set", name, "mtu", mtu, "up"])
            for v6, prefix in networks.items():
                run(["ip", "-n", where, "addr", "add", f"{prefix}{number}/{64 if v6 else 24}", "dev", name]
                    + (["nodad"] if v6 else []))
        for v6, prefix in networks.items():
            run(["ip", "-n", namespace, "route", "add", everywhere(v6), "via", prefix + "1"])
        network.run(host, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        return namespace


def in_namespace(namespace, script, *words):
    return ["nsenter", f"--net=/run/netns/{namespace}", "python3", "-c", script, *words]


if __name__ == "__main__":
    main()
