#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The master's daemon dies by SIGKILL under IPv6 traffic, which is routed without NAT."""
from harness import LabTest, Load, main


class KillMasterIpv6(LabTest):
    def test_routed_connections_survive(self):
        self.kill_both_ways(Load(200, udp_rate=1000, v6=True))


if __name__ == "__main__":
    main()
