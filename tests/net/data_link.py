#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Frames that reach the wrong gateway cross the data link and come out of the master; without one they are dropped."""
from harness import LabTest, Load, main, wait_until
from nsrplab import TRUST, UNTRUST


class DataLink(LabTest):
    def setUp(self):
        super().setUp()
        self.master = self.start_pair()
        self.backup = self.lab.other(self.master)
        vmac = self.virtual_mac(TRUST.vsi())
        self.assertTrue(vmac.startswith("02:4e:53"), vmac)
        self.send_to_the_wrong_box(vmac)

    def send_to_the_wrong_box(self, vmac):
        """The trust switch takes the virtual MAC for the backup's. `sticky`, or the next frame of the master teaches
        the switch better."""
        self.lab.network.run("trust", "bridge", "fdb", "replace", vmac, "dev", self.backup, "master", "static", "sticky")

    def ping(self, count=5):
        """How many of `count` pings from client to server are answered."""
        out = self.lab.network.run("client", "ping", "-q", "-c", str(count), "-i", "0.1", "-W", "1", UNTRUST.host(),
                                   check=False).stdout
        return int(out.split(" received")[0].split()[-1])

    def test_frames_cross_to_the_master(self):
        before = {g: self.lab[g].ask("get nsrp counters") for g in (self.master, self.backup)}
        self.assertEqual(self.ping(), 5)
        self.assertGreaterEqual(self.counter(self.backup, "rx_to_peer") - before[self.backup]["rx_to_peer"], 5)
        self.assertGreaterEqual(self.counter(self.master, "dl_rx") - before[self.master]["dl_rx"], 5)

    def test_counters_are_cleared_here_or_everywhere(self):
        self.assertEqual(self.ping(), 5)
        self.command(self.backup, "clear nsrp counters")
        self.assertLess(self.counter(self.backup, "rx_to_peer"), 5)
        self.assertGreaterEqual(self.counter(self.master, "dl_rx"), 5)
        self.command(self.backup, "clear cluster nsrp counters")
        wait_until(lambda: self.counter(self.master, "dl_rx") < 5, 10, "cleared at the other member")
        self.assertEqual(len(self.events(self.master, 228)), 1)

    def test_tcp_crosses_to_the_master(self):
        self.start_traffic(Load(20, udp_rate=500))
        result = self.stop_traffic()[0]
        self.assertEqual(result["udp"]["lost"], 0)
        self.assertGreater(self.counter(self.master, "dl_rx"), 500)

    def test_the_operator_hears_of_a_data_link_that_is_too_small(self):
        for name in (self.master, self.backup):
            self.lab.network.run(name, "ip", "link", "set", "ha2", "mtu", "1400")
        wait_until(lambda: any("mtu=1400 too_large=eth1,eth2" in text for text in self.events(self.backup, 305)), 10,
                   "event 305")
        self.assertEqual(self.ping(), 5)
        self.lab.network.run("client", "ping", "-q", "-c", "1", "-s", "1400", "-W", "1", UNTRUST.host(), check=False)
        self.assertGreaterEqual(self.counter(self.backup, "rx_drop_data_link_mtu"), 1)

    def test_they_drop_when_data_forwarding_is_unset(self):
        done = self.lab[self.backup].cli("unset nsrp data-forwarding")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.ping(), 0)
        self.assertGreaterEqual(self.counter(self.backup, "rx_drop_forwarding_off"), 5)
        done = self.lab[self.backup].cli("set nsrp data-forwarding")
        self.assertEqual(done.returncode, 0, done.stderr)
        wait_until(lambda: self.ping() == 5, 10, "pings over the data link again")

    def test_they_drop_when_there_is_no_data_link(self):
        # An ineligible member does not become master when it is alone.
        done = self.lab[self.backup].cli("exec nsrp vsd-group id 0 mode ineligible")
        self.assertEqual(done.returncode, 0, done.stderr)
        wait_until(lambda: self.lab[self.backup].state() == "ineligible", 10, "an ineligible backup")
        self.lab.cut("ha1")
        self.lab.cut("ha2")
        wait_until(lambda: all(not l["up"] for l in self.lab[self.backup].status()["ha_links"]), 10, "dead HA links")
        self.assertEqual(self.ping(), 0)
        self.assertGreaterEqual(self.counter(self.backup, "rx_drop_no_data_link"), 5)
        self.assertEqual(self.lab.masters(), [self.master])


if __name__ == "__main__":
    main()
