#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`set nsrp vsd-group id 0 defer`: the server hears of a session when the peer has it, or when the bound has passed."""
import ctypes
import os
import select
import socket

from harness import GATEWAYS, LabTest, Load, main, time, wait_until
from nsrplab import UNTRUST

PORT = 9000
CLONE_NEWNET = 0x40000000
SO_RCVBUFFORCE = 33
LONGEST_MS = 100


class UdpSocket:
    """A socket of one of the lab's hosts."""

    def __init__(self, network, host, port=0):
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net", "rb") as home, \
                open(f"/run/netns/{network.namespace(host)}", "rb") as there:
            libc.setns(there.fileno(), CLONE_NEWNET)
            try:
                self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            finally:
                libc.setns(home.fileno(), CLONE_NEWNET)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
        self.socket.bind(("0.0.0.0", port))

    def receive(self, within_s):
        """The next datagram and from where it came; (None, None) when there is none in that time."""
        ready, _, _ = select.select([self.socket], [], [], within_s)
        return self.socket.recvfrom(2000) if ready else (None, None)


class Defer(LabTest):
    defer = "set nsrp vsd-group id 0 defer"

    def setUp(self):
        super().setUp()
        self._clients = []
        self.lab.configure(priority={"gwA": 50, "gwB": 100}, hb_threshold=10,
                           extra=[self.defer] if self.defer else [])
        self.master = self.start_pair()
        self.backup = self.lab.other(self.master)
        self.server = UdpSocket(self.lab.network, "server", PORT)
        self.addCleanup(self.close_sockets)
        wait_until(self.passes, 20, "a way from the client to the server")  # neighbours are known from here on

    def close_sockets(self):
        for each in [*self._clients, self.server]:
            each.socket.close()

    def passes(self):
        self.send(b"?")
        return self.server.receive(1)[0]

    def send(self, data):
        """The first packet of a session of its own. Returns the socket."""
        client = UdpSocket(self.lab.network, "client")
        client.socket.sendto(data, (UNTRUST.host(), PORT))
        self._clients.append(client)
        return client

    def freeze_backup(self):
        """Until every thread of it stands: the signal alone only begins to stop them."""
        gateway = self.lab[self.backup]
        gateway.freeze()
        tasks = f"/proc/{gateway.process.pid}/task"

        def runs(task):
            with open(f"{tasks}/{task}/stat", encoding="ascii", errors="replace") as stat:
                name, rest = stat.read().rsplit(")", 1)
            return rest.split()[0] != "T" and "(iou-" not in name  # the kernel's own workers are nobody's to stop
        try:
            wait_until(lambda: not any(runs(task) for task in os.listdir(tasks)), 10, "a daemon that stands", 0.002)
        except BaseException:
            gateway.thaw()
            raise

    def released(self, why):
        return self.lab[self.master].vsd()["deferred"][why]


class DeferForLong(Defer):
    defer = f"set nsrp vsd-group id 0 defer time {LONGEST_MS}"

    def test_the_server_hears_of_a_session_when_the_peer_has_answered(self):
        """The peer is stopped for a moment, shorter than the bound: as long nothing arrives, then it does."""
        def in_time():
            before, nobody = self.released("acknowledged"), self.counter(self.master, "hold_nobody")
            self.freeze_backup()
            sent = time.monotonic()
            try:
                self.send(b"a")
                early = self.server.receive(LONGEST_MS / 1000 / 3)[0]
                stopped_s = time.monotonic() - sent
            finally:
                self.lab[self.backup].thaw()
            arrived = early or self.server.receive(10)[0]
            self.assertEqual(arrived, b"a")
            if stopped_s > LONGEST_MS / 1000 * 0.7 or self.counter(self.master, "hold_nobody") > nobody:
                return False  # this machine was too busy: for the bound, or for the daemon to say that it is there
            self.assertIsNone(early, "the packet left before the peer had the session")
            return self.released("acknowledged") > before
        wait_until(in_time, 30, "a packet that leaves with the peer's word")

    def test_the_answer_to_a_first_packet_finds_its_way_after_a_crash(self):
        """The master is gone as soon as the server has seen the packet; there is no other packet of the session."""
        for _ in range(2):  # A to B, and back
            self.master = self.lab.wait_pair()
            before = self.released("acknowledged")
            client = self.send(b"a")
            data, address = self.server.receive(10)
            self.lab.cut(self.master)
            self.assertEqual(data, b"a")
            self.assertEqual(self.released("acknowledged"), before + 1)
            self.lab[self.master].kill9()
            self.lab.wait_master(self.lab.other(self.master))
            self.server.socket.sendto(b"b", address)
            self.assertEqual(client.receive(10)[0], b"b")
            self.lab.heal(self.master)
            self.lab[self.master].start()

    def test_without_an_answer_it_leaves_when_the_bound_has_passed(self):
        before = self.released("bound_passed")
        self.freeze_backup()
        try:
            sent = time.monotonic()
            self.send(b"a")
            self.assertEqual(self.server.receive(10)[0], b"a")
            waited_ms = (time.monotonic() - sent) * 1000
        finally:
            self.lab[self.backup].thaw()
        self.assertGreaterEqual(waited_ms, LONGEST_MS)
        self.assertEqual(self.released("bound_passed"), before + 1)
        self.lab.wait_pair()


class DeferOff(Defer):
    defer = None

    def test_without_it_the_peer_is_not_waited_for(self):
        """The control: what the others see is not the lab's doing."""
        self.freeze_backup()
        try:
            self.send(b"a")
            self.assertEqual(self.server.receive(10)[0], b"a")
        finally:
            self.lab[self.backup].thaw()
        self.assertEqual(self.counter(self.master, "held"), 0)
        self.lab.wait_pair()


class DeferAsItComes(Defer):
    def test_a_dead_daemon_holds_nothing(self):
        before = self.counter(self.master, "hold_nobody")
        self.lab[self.master].kill9()
        self.send(b"a")
        self.assertEqual(self.server.receive(10)[0], b"a")
        self.lab[self.master].start()
        self.assertEqual(self.counter(self.master, "hold_nobody"), before + 1)

    def test_it_goes_with_the_peer_and_comes_back_with_it(self):
        self.lab[self.backup].kill9()
        wait_until(lambda: self.lab[self.master].status()["rto_mirror"]["state"] != "active", 20, "a mirror without peer")
        before = self.counter(self.master, "hold_nobody")
        self.assertTrue(self.passes())
        self.assertEqual(self.counter(self.master, "hold_nobody"), before + 1)
        self.lab[self.backup].start()
        self.lab.wait_pair()
        before = self.released("acknowledged")
        wait_until(lambda: self.passes() and self.released("acknowledged") > before, 20, "packets held again")

    def test_a_planned_switchover_loses_no_held_packet(self):
        for target in (self.backup, self.master):
            self.lab.wait_pair()
            expected = {f"{target} {i}".encode() for i in range(300)}
            for i, data in enumerate(sorted(expected)):
                if i == 50:
                    self.command(target, "exec nsrp vsd-group id 0 mode master")
                self.send(data)
            self.lab.wait_master(target)
            seen = set()
            while data := self.server.receive(1)[0]:
                seen.add(data)
            self.assertEqual(expected - seen, set())

    def test_connections_under_way_and_new_ones(self):
        self.start_traffic(Load(50, udp_rate=500), Load(20, udp_rate=200, v6=True), Load(20, udp_rate=0, direction="in"))
        self.stop_traffic()
        self.assertGreaterEqual(self.counter(self.master, "held"), 90)
        self.assertEqual(self.counter(self.master, "held"), self.counter(self.master, "held_sent"))
        self.assertEqual(self.released("unsent"), 0)
        self.assertIn("defer 10 ms: acknowledged ", self.command(self.master, "get nsrp vsd-group"))
        for name in GATEWAYS:
            self.command(name, "unset nsrp vsd-group id 0 defer")
        held = self.counter(self.master, "held")
        self.assertTrue(self.passes())
        self.assertEqual(self.counter(self.master, "held"), held)


if __name__ == "__main__":
    main()
