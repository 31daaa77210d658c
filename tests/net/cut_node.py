#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every cable of the master is cut in one moment, and mended later: two masters meet, and one remains."""
from harness import LabTest, Load, main, wait_until


class CutNode(LabTest):
    ha_switch = True

    def cut_both_ways(self, silent):
        self.start_pair()
        self.start_traffic(Load(200, udp_rate=1000))
        for _ in range(2):
            master = self.lab.wait_pair()
            survivor = self.lab.other(master)
            self.wait_mirrored(master, 200)
            self.wait_flowing()
            self.lab.cut(master, silent=silent)
            wait_until(lambda: self.lab[survivor].state() == "master", 20, f"{survivor} master")
            self.wait_flowing()
            self.lab.heal(master)
            # The one that took over last is the one the network was told about.
            self.assertEqual(self.lab.wait_pair(), survivor)
            self.assert_master_stays(survivor, 2)
            self.wait_flowing()
        self.assert_outage_ended(self.stop_traffic())

    def test_frames_vanish_while_carrier_stays(self):
        self.cut_both_ways(silent=True)

    def test_carrier_is_lost(self):
        self.cut_both_ways(silent=False)


if __name__ == "__main__":
    main()
