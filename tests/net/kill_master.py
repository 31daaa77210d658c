#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The master's daemon dies by SIGKILL under traffic: nothing breaks, neither through SNAT nor through a forwarded port."""
from harness import LabTest, Load, main

CONNECTIONS = 200


class KillMaster(LabTest):
    def test_connections_through_source_nat_survive(self):
        self.kill_both_ways(Load(CONNECTIONS, udp_rate=1000))

    def test_connections_through_a_forwarded_port_survive(self):
        self.kill_both_ways(Load(50, udp_rate=500, direction="in"))


if __name__ == "__main__":
    main()
