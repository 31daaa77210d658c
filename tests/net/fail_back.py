#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""With preempt the better priority takes mastership back, only after it has the sessions, and without a lost packet."""
import re

from harness import LabTest, Load, main


class FailBack(LabTest):
    settings = {"priority": {"gwA": 50, "gwB": 100}, "preempt": {"gwA": True, "gwB": False}}

    def test_the_better_priority_comes_back_in_sync(self):
        self.assertEqual(self.start_pair(), "gwA")
        self.start_traffic(Load(200, udp_rate=1000))
        for _ in range(2):
            self.wait_mirrored("gwA", 200)
            self.wait_flowing()
            self.lab["gwA"].kill9()
            self.lab.wait_master("gwB")
            self.wait_flowing()
            log_begin = len(self.log_lines())
            self.lab["gwA"].start()
            self.lab.wait_master("gwA")
            self.assert_in_sync_before_master(self.log_lines()[log_begin:])
            self.assertEqual(self.lab.wait_pair(), "gwA")
            self.wait_flowing()
        self.stop_traffic()

    def log_lines(self):
        return self.lab["gwA"].log_tail(100000).splitlines()

    def assert_in_sync_before_master(self, lines):
        def first(pattern):
            return next((i for i, line in enumerate(lines) if re.search(pattern, line)), None)
        synced, master = first(r"in_sync=yes"), first(r'to="?master')
        self.assertIsNotNone(synced, "\n".join(lines))
        self.assertIsNotNone(master, "\n".join(lines))
        self.assertLess(synced, master, "mastership taken before the sessions were there")


if __name__ == "__main__":
    main()
