#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The master's daemon dies and is back before the peer has missed it: mastership is resumed, the data path never stops."""
from harness import LabTest, Load, main


class FastRestart(LabTest):
    # Long enough for a daemon with sanitizers to start.
    settings = {"priority": {"gwA": 50, "gwB": 100}, "hb_interval": 1000, "hb_threshold": 8}

    def test_no_failover_and_no_loss(self):
        self.assertEqual(self.start_pair(), "gwA")
        self.start_traffic(Load(100, udp_rate=1000))
        for master in ("gwA", "gwB"):
            self.wait_mirrored(master, 100)
            self.lab[master].kill9()
            self.lab[master].start()
            self.assertEqual(self.lab[master].state(), "master")
            self.assertEqual(self.lab.wait_pair(60), master)
            self.assert_master_stays(master, 10)
            if master == "gwA":
                done = self.lab["gwA"].cli("exec nsrp vsd-group id 0 mode backup")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(self.lab.wait_pair(60), "gwB")
        result = self.stop_traffic()[0]
        self.assertLess(result["udp"]["lost"], 50)


if __name__ == "__main__":
    main()
