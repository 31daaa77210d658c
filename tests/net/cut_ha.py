#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HA links fail and come back: one of them, both of them, and both of them with a secondary path."""
from harness import GATEWAYS, LabTest, Load, main, time, wait_until


class CutHa(LabTest):
    ha_switch = True

    def control_link(self, gateway):
        links = self.lab[gateway].status()["ha_links"]
        return next((l["ifname"] for l in links if "control" in l["role"]), None)

    def test_control_moves_to_the_other_link_and_back(self):
        master = self.start_pair()
        self.start_traffic(Load(20, udp_rate=500))
        for silent in (False, True):
            with self.subTest(silent=silent):
                self.lab.cut("ha1", silent=silent)
                wait_until(lambda: all(self.control_link(g) == "ha2" for g in GATEWAYS), 20, "control on ha2")
                self.assert_master_stays(master, 2)
                self.lab.heal("ha1")
                wait_until(lambda: all(self.control_link(g) == "ha1" for g in GATEWAYS), 20, "control on ha1 again")
                self.assert_master_stays(master, 1)
        self.assertEqual(self.lab.wait_pair(), master)
        self.stop_traffic()

    def test_two_masters_meet_and_the_survivor_announces_again(self):
        self.start_pair()
        for _ in range(2):
            master = self.lab.wait_pair()
            other = self.lab.other(master)
            self.lab.cut("ha1")
            self.lab.cut("ha2")
            wait_until(lambda: sorted(self.lab.masters()) == list(GATEWAYS), 20, "both alone and masters")
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

    def test_a_secondary_path_prevents_a_second_master(self):
        self.lab.configure(priority={"gwA": 50, "gwB": 100}, extra=["set nsrp secondary-path eth1"])
        master = self.start_pair()
        self.start_traffic(Load(20, udp_rate=500))
        self.lab.cut("ha1")
        self.lab.cut("ha2")
        self.assert_master_stays(master, 4)
        self.lab.heal("ha1")
        self.lab.heal("ha2")
        self.assertEqual(self.lab.wait_pair(), master)
        self.stop_traffic()

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
