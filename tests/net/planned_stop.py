#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SIGTERM to the master: it hands over before it leaves."""
from harness import LabTest, Load, VirtualMacWatch, main


class PlannedStop(LabTest):
    def test_the_peer_takes_over_without_a_gap(self):
        first = self.start_pair()
        second = self.lab.other(first)
        self.start_traffic(Load(200, udp_rate=1000))
        watch = VirtualMacWatch(self.lab)
        for _ in range(2):
            master = self.lab.wait_pair()
            self.wait_mirrored(master, 200)
            self.wait_flowing()
            self.assertEqual(self.lab[master].terminate(), 0)
            self.lab.wait_master(self.lab.other(master))
            self.wait_flowing()
            self.lab[master].start()
        self.lab.wait_pair()
        self.assertEqual(watch.owners(), {"trust": [first, second, first], "untrust": [first, second, first]})
        result = self.stop_traffic()[0]
        # Two hand-overs. A death would cost about 400 packets each.
        self.assertLess(result["udp"]["lost"], 100)


if __name__ == "__main__":
    main()
