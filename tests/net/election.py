#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who becomes master when daemons start (manual ch. 1, Virtual Security Device Groups)."""
from harness import GATEWAYS, LabTest, VirtualMacWatch, main


class Election(LabTest):
    def watched_start(self):
        """Starts both gateways at once under watch; returns the master, who alone may have used virtual MACs."""
        watch = VirtualMacWatch(self.lab)
        master = self.start_pair()
        self.assert_master_stays(master, 2)
        self.assertEqual(watch.owners(), {"trust": [master], "untrust": [master]})
        return master

    def test_the_better_priority_is_master(self):
        for best in GATEWAYS:
            with self.subTest(best=best):
                self.lab.configure(priority={best: 50, self.lab.other(best): 100})
                self.assertEqual(self.watched_start(), best)
                for gateway in self.lab.gateways.values():
                    gateway.terminate()

    def test_of_equals_the_higher_unit_id_is_master(self):
        self.lab.configure(priority=100)
        master = self.watched_start()
        units = {name: self.lab[name].status()["unit_id"] for name in GATEWAYS}
        self.assertEqual(master, max(units, key=units.get))

    def test_without_preempt_a_better_priority_that_comes_later_waits(self):
        self.lab["gwB"].start()
        self.lab.wait_master("gwB")
        self.lab["gwA"].start()
        self.assertEqual(self.lab.wait_pair(), "gwB")
        self.assert_master_stays("gwB", 3)

    def test_status_names_both_members(self):
        master = self.start_pair()
        for name in GATEWAYS:
            status = self.lab[name].status()
            self.assertEqual(status["cluster"]["id"], 1)
            self.assertEqual(status["hostname"], name)
            self.assertEqual(status["led"], "green" if name == master else "yellow")
            members = status["vsd_groups"][0]["members"]
            self.assertEqual(len(members), 2)
            local = next(m for m in members if m["local"])
            self.assertEqual(local["state"], self.lab[name].state())
            self.assertEqual(local["unit_id"], status["unit_id"])
            self.assertEqual([l["ifname"] for l in status["ha_links"] if l["up"]], ["ha1", "ha2"])


if __name__ == "__main__":
    main()
