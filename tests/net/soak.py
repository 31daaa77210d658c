#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Twenty kills in a row, now of the one master, now of the other: the last is as clean as the first."""
import statistics

from harness import LabTest, Load, main

KILLS = 20


class Soak(LabTest):
    def test_twenty_kills_in_a_row(self):
        self.start_pair()
        self.start_traffic(Load(100, udp_rate=500))
        for _ in range(KILLS):
            master = self.lab.wait_pair()
            self.wait_mirrored(master, 100)
            self.lab[master].kill9()
            self.lab.wait_master(self.lab.other(master))
            self.lab[master].start()
        self.lab.wait_pair()
        self.wait_flowing()
        result = self.stop_traffic()[0]
        gaps = sorted(g["length_ms"] for g in result["udp"]["gaps"])[-KILLS:]
        print(f"    {KILLS} kills, gaps min/median/max "
              f"{gaps[0]:.0f}/{statistics.median(gaps):.0f}/{gaps[-1]:.0f} ms")
        self.assert_no_leak()

    def assert_no_leak(self):
        """A box that took over many times has the addresses, routes and programs of one that did so once."""
        for name, gateway in self.lab.gateways.items():
            addresses = gateway.ip("-o", "-4", "addr", "show", "dev", "eth1").splitlines()
            self.assertEqual(len(addresses), 2, addresses)
            filters = self.lab.network.run(name, "tc", "filter", "show", "dev", "eth1", "ingress").stdout
            self.assertEqual(filters.count("direct-action"), 1, filters)


if __name__ == "__main__":
    main()
