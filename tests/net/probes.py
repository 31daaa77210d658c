#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HA links through two switches each (manual ch. 1, "Dual HA Link Probes", figure 12): a path that is dead behind live
carriers is found, also when it is dead for unicast only, which heartbeats do not notice."""
from harness import GATEWAYS, LabTest, Load, main

UNICAST = "ether type 0x88b5 ether daddr != ff:ff:ff:ff:ff:ff"


class Probes(LabTest):
    ha_switch = True

    def assert_carriers(self):
        for gateway in GATEWAYS:
            for ifname in ("ha1", "ha2"):
                self.assertTrue(self.link(gateway, ifname)["carrier"])

    def probe(self, gateway, words):
        return self.command(gateway, f"exec nsrp probe {words}").strip()

    def set_probes(self, words):
        for gateway in GATEWAYS:
            self.command(gateway, words)

    def test_the_cable_between_the_switches_breaks(self):
        master = self.start_pair()
        self.set_probes("set nsrp ha-link probe interval 1 threshold 3")
        self.start_traffic(Load(20, udp_rate=500))
        for cut, other in (("ha1", "ha2"), ("ha2", "ha1")):
            with self.subTest(cut=cut):
                self.lab.cut(f"{cut}-inner")
                self.wait_control(other)
                self.assert_carriers()
                self.assertEqual(self.probe("gwA", f"{cut} count 2"), f"2 probes on {cut}: 0 of 2 answered")
                self.assertEqual(self.probe("gwB", f"{other} count 1"), f"1 probe on {other}: 1 of 1 answered")
                self.assert_master_stays(master, 0.5)
                self.lab.heal(f"{cut}-inner")
                self.wait_control("ha1")
        self.assertEqual(self.lab.wait_pair(), master)
        self.stop_traffic()

    def test_a_path_dead_for_unicast_is_found_by_probes_alone(self):
        master = self.start_pair()
        for mute in GATEWAYS:
            with self.subTest(mute=mute):
                self.lab.mute(mute, "ha1", UNICAST)
                self.assert_control_stays("ha1", 3)  # heartbeats are broadcast and arrive
                self.set_probes("set nsrp ha-link probe interval 1 threshold 3")
                self.wait_control("ha2", 30)
                self.assert_carriers()
                self.assertTrue(any("probes in a row were not answered" in text
                                    for gateway in GATEWAYS for text in self.events(gateway, 223)))
                self.assertEqual(self.probe(mute, "ha1 count 2"), "2 probes on ha1: 0 of 2 answered")
                self.assert_master_stays(master, 0.5)
                self.lab.unmute(mute, "ha1")
                self.wait_control("ha1", 30)
                self.assertEqual(self.probe(mute, "ha1 count 2"), "2 probes on ha1: 2 of 2 answered")
                self.set_probes("unset nsrp ha-link probe")

    def test_a_probe_by_hand_takes_a_mac_address(self):
        self.start_pair()
        peer = self.lab["gwB"].ip("-br", "link", "show", "ha1").split()[2]
        answer = self.lab["gwA"].ask(f"exec nsrp probe ha1 {peer.replace(':', '')} count 1")
        self.assertEqual(answer, {"interface": "ha1", "sent": 1, "answered": 1})
        answer = self.lab["gwA"].ask("exec nsrp probe ha1 02:00:00:00:00:99 count 1")
        self.assertEqual(answer, {"interface": "ha1", "sent": 1, "answered": 0})
        refused = self.lab["gwA"].cli("exec nsrp probe eth1")
        self.assertEqual((refused.returncode, refused.stderr.strip()),
                         (1, 'nsrp: "eth1" is no HA link; HA links: ha1, ha2'))
        self.lab.cut("ha2")
        refused = self.lab["gwA"].cli("exec nsrp probe ha2")
        self.assertEqual((refused.returncode, refused.stderr.strip()), (1, "nsrp: ha2 has no carrier"))


if __name__ == "__main__":
    main()
