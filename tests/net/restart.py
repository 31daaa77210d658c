#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A restart with --keep: no failover and no packet lost, for the master as for the backup. `restart.py 20` restarts each
20 times instead of twice."""
import sys

from harness import LabTest, Load, main

RESTARTS = 2


class Restart(LabTest):
    # Long enough for a daemon with sanitizers to start on a busy machine.
    settings = {"priority": {"gwA": 50, "gwB": 100}, "hb_interval": 1000, "hb_threshold": 15}

    def setUp(self):
        super().setUp()
        for gateway in self.lab.gateways.values():
            gateway.options.append("--keep")

    def restart(self, name):
        self.assertEqual(self.lab[name].terminate(), 0)
        self.lab[name].start()

    def test_no_failover_and_no_loss(self):
        self.assertEqual(self.start_pair(), "gwA")
        self.start_traffic(Load(200, udp_rate=5000))
        for name in ("gwA", "gwB"):
            for _ in range(RESTARTS):
                self.wait_mirrored("gwA", 201)
                self.restart(name)
                self.assertEqual(self.lab.wait_pair(60), "gwA")
            resumed = [text for text in self.events("gwA", 200) if 'to="master"' in text]
            self.assertEqual(len(resumed), 1)
            self.assertIn("resumed", resumed[0])
            self.wait_flowing()
        self.assertEqual([text for text in self.events("gwB", 200) if 'to="master"' in text], [])
        self.assertEqual(self.stop_traffic()[0]["udp"]["lost"], 0)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].isdigit():
        RESTARTS = int(sys.argv.pop(1))
    main()
