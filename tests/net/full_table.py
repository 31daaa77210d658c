#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""More sessions than the table holds: they are forwarded all the same, and the operator is told."""
from harness import LabTest, Load, main, wait_until
from nsrplab.sessions import swallow_storm

ROOM = 1024
TABLE_FULL = 304


class FullTable(LabTest):
    def test_it_degrades_to_the_stack_and_is_told(self):
        swallow_storm(self.lab.network)
        for gateway in self.lab.gateways.values():
            gateway.options = ["--max-sessions", str(ROOM)]
        master = self.start_pair()
        self.assertEqual(self.events(master, TABLE_FULL), [])
        self.lab.storm(4 * ROOM).wait()
        wait_until(lambda: self.events(master, TABLE_FULL), 30, "the event that a table is full",
                   instead=lambda: self.lab[master].ask("get nsrp counters"))
        self.assertGreater(self.counter(master, "session_map_full"), 0)
        # A connection that begins now finds no room, and works.
        self.start_traffic(Load(20, udp_rate=200, message_interval_ms=20))
        for result in self.stop_traffic():
            self.assertLessEqual(result["udp"]["lost"], result["udp"]["sent"] // 50)


if __name__ == "__main__":
    main()
