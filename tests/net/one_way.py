#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HA links lose one direction: what one gateway sends vanishes in its switch, while every carrier stays up."""
from harness import GATEWAYS, LabTest, Load, VirtualMacWatch, main, wait_until


class OneWay(LabTest):
    ha_switch = True

    def test_both_sides_leave_a_link_that_works_one_way_and_come_back(self):
        master = self.start_pair()
        self.start_traffic(Load(20, udp_rate=500))
        for mute in GATEWAYS:
            with self.subTest(mute=mute):
                self.lab.mute(mute, "ha1")
                self.wait_control("ha2")
                deaf = self.link(self.lab.other(mute), "ha1")
                self.assertTrue(deaf["carrier"])
                self.assertIn("not heard on it", deaf["cause"])
                wait_until(lambda: "does not hear us" in self.link(mute, "ha1")["cause"], 10, "the reason on the mute")
                self.assert_master_stays(master, 1)
                self.assert_control_stays("ha2", 1)
                self.lab.unmute(mute, "ha1")
                self.wait_control("ha1")
                self.assert_master_stays(master, 0.5)
        self.assertEqual(self.lab.wait_pair(), master)
        for gateway in GATEWAYS:
            self.assertEqual(self.events(gateway, 211), [], "the peer was never lost")
        self.stop_traffic()

    def test_a_master_that_is_not_heard_on_any_link_gives_way_before_the_other_takes_over(self):
        self.start_pair()
        for master in GATEWAYS:
            with self.subTest(master=master):
                self.make_master(master)
                self.lab.wait_pair()
                other = self.lab.other(master)
                watch = VirtualMacWatch(self.lab).wait_used(master)
                self.mute_both(master)
                self.lab.wait_master(other)
                self.assert_master_stays(other, 3)
                self.unmute_both(master)
                self.assertEqual(self.lab.wait_pair(), other)
                self.assertEqual(watch.owners(), {"trust": [master, other], "untrust": [master, other]})

    def test_a_backup_that_is_not_heard_on_any_link_stays_backup(self):
        self.start_pair()
        for master in GATEWAYS:
            with self.subTest(master=master):
                self.make_master(master)
                self.lab.wait_pair()
                backup = self.lab.other(master)
                watch = VirtualMacWatch(self.lab).wait_used(master)
                self.mute_both(backup)
                self.assert_master_stays(master, 4)
                self.unmute_both(backup)
                self.assertEqual(self.lab.wait_pair(), master)
                self.assertEqual(watch.owners(), {"trust": [master], "untrust": [master]})

    def mute_both(self, gateway):
        self.lab.mute(gateway, "ha1")
        self.lab.mute(gateway, "ha2")

    def unmute_both(self, gateway):
        self.lab.unmute(gateway, "ha1")
        self.lab.unmute(gateway, "ha2")


if __name__ == "__main__":
    main()
