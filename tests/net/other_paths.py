#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No link of zone ha is left: the secondary path or the control interface (`set nsrp interface`) keeps the members in
touch, whoever is master (manual ch. 1, "Control Messages", and ch. 3)."""
from harness import GATEWAYS, LabTest, Load, VirtualMacWatch, main, wait_until

CONTROL_INTERFACE = "set nsrp interface eth2"
SECONDARY_PATH = "set nsrp secondary-path eth1"


class OtherPaths(LabTest):
    ha_switch = True

    def cut_and_heal_under_each_master(self, while_cut):
        """Cuts every HA link while gwA is master, then while gwB is. Nobody else may ever use a virtual MAC."""
        self.start_pair()
        self.start_traffic(Load(20, udp_rate=500))
        for master in GATEWAYS:
            self.make_master(master)
            self.lab.wait_pair()
            watch = VirtualMacWatch(self.lab).wait_used(master)
            self.lab.cut("ha1")
            self.lab.cut("ha2")
            self.assert_master_stays(master, 3)
            while_cut()
            self.lab.heal("ha1")
            self.lab.heal("ha2")
            self.wait_control("ha1")
            self.assert_master_stays(master, 0.5)
            self.assertEqual(watch.owners(), {"trust": [master], "untrust": [master]})
            self.assertEqual(self.lab.wait_pair(), master)
        for gateway in GATEWAYS:
            self.assertEqual(self.events(gateway, 211), [], "the peer was never lost")
        self.stop_traffic()

    def test_a_secondary_path_prevents_a_second_master(self):
        self.lab.configure(priority={"gwA": 50, "gwB": 100}, extra=[SECONDARY_PATH])

        def on_the_secondary_path():
            for gateway in self.lab.gateways.values():
                self.assertTrue(gateway.status()["secondary_path_link"]["up"])
        self.cut_and_heal_under_each_master(on_the_secondary_path)
        for gateway in self.lab.gateways.values():
            wait_until(lambda g=gateway: not g.status()["secondary_path_link"]["up"], 10, "a secondary path that rests")

    def test_the_control_interface_takes_over_from_zone_ha(self):
        self.lab.configure(priority={"gwA": 50, "gwB": 100}, extra=[CONTROL_INTERFACE])
        self.cut_and_heal_under_each_master(lambda: self.wait_control("eth2"))

    def test_the_control_interface_alone_is_enough(self):
        for gateway in self.lab.gateways.values():
            with open(gateway.config_file, "a", encoding="utf-8") as config:
                config.write(f"unset interface ha1 zone\nunset interface ha2 zone\n{CONTROL_INTERFACE}\n")
        master = self.start_pair()  # in sync: sessions are mirrored over it as well
        self.assertEqual(self.control_links(), ["eth2", "eth2"])
        self.assert_master_stays(master, 2)
        self.lab[master].kill9()
        self.lab.wait_master(self.lab.other(master))


if __name__ == "__main__":
    main()
