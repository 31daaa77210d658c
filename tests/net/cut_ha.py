#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HA links fail and come back: one of them, with its carrier and without, and both of them."""
from harness import GATEWAYS, LabTest, Load, main, time, wait_until

PEER_LOST, CARRIER, LINK_STATE = 211, 221, 223


class CutHa(LabTest):
    ha_switch = True

    def test_control_moves_to_the_other_link_and_back(self):
        master = self.start_pair()
        self.start_traffic(Load(20, udp_rate=500))
        for cut, other in (("ha1", "ha2"), ("ha2", "ha1")):
            for silent in (False, True):
                with self.subTest(cut=cut, silent=silent):
                    self.lab.cut(cut, silent=silent)
                    for gateway in GATEWAYS:
                        wait_until(lambda g=gateway: not self.link(g, cut)["up"], 20, f"{cut} down on {gateway}")
                    self.wait_control(other)
                    self.assert_master_stays(master, 1)
                    self.lab.heal(cut)
                    self.wait_control("ha1")
                    for gateway in GATEWAYS:
                        wait_until(lambda g=gateway: self.link(g, cut)["up"], 20, f"{cut} up again on {gateway}")
                    self.assert_master_stays(master, 0.5)
        self.assertEqual(self.lab.wait_pair(), master)
        self.stop_traffic()
        for gateway in GATEWAYS:  # the links were lost, the peer never
            self.assertEqual(self.events(gateway, PEER_LOST), [])
            self.assertIn("interface=ha1 carrier=down", self.events(gateway, CARRIER))
            for ifname in ("ha1", "ha2"):
                lost = [e for e in self.events(gateway, LINK_STATE) if f"interface={ifname} state=down" in e]
                self.assertGreaterEqual(len(lost), 2, lost)

    def test_two_masters_meet_and_the_survivor_announces_again(self):
        self.start_pair()
        for _ in range(2):
            master = self.lab.wait_pair()
            other = self.lab.other(master)
            self.lab.cut("ha1")
            self.lab.cut("ha2")
            wait_until(lambda: sorted(self.lab.masters()) == list(GATEWAYS), 20, "both alone and masters")
            for gateway in GATEWAYS:
                self.assertIn("ha1 (no carrier), ha2 (no carrier)", self.events(gateway, PEER_LOST)[-1])
            captures = {name: self.lab.capture("trust", name) for name in GATEWAYS}
            self.lab.heal("ha1")
            self.lab.heal("ha2")
            survivor = self.lab.wait_pair()
            self.assertEqual(survivor, other, "the higher term survives: the network was told last about that one")
            self.assert_master_stays(survivor, 2)
            self.assert_gratuitous_arp(captures.pop(survivor).stop())
            captures.popitem()[1].stop()
        self.start_traffic(Load(20, udp_rate=500))
        self.stop_traffic()

    def assert_gratuitous_arp(self, frames):
        announced = [f for f in frames if f.is_arp and f.data[28:32] == f.data[38:42]]
        self.assertTrue(announced, "the survivor did not announce its addresses again")

    def test_the_trust_cable_heals(self):
        """A cut traffic cable alone moves nothing while nobody monitors it; heartbeats do not cross it."""
        master = self.start_pair()
        self.start_traffic(Load(20, udp_rate=500))
        self.lab.cut(f"{master}-trust", silent=True)
        self.assert_master_stays(master, 2)
        self.lab.heal(f"{master}-trust")
        time.sleep(0.1)
        self.wait_flowing()
        self.stop_traffic()


if __name__ == "__main__":
    main()
