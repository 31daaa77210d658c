#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The master's daemon dies by SIGKILL under traffic: nothing breaks, neither through SNAT nor through a forwarded port."""
from harness import LabTest, Load, main, wait_until

CONNECTIONS = 200


class KillMaster(LabTest):
    def test_connections_through_source_nat_survive(self):
        self.kill_both_ways(Load(CONNECTIONS, udp_rate=1000))

    def test_connections_through_a_forwarded_port_survive(self):
        self.kill_both_ways(Load(50, udp_rate=500, direction="in"))

    def test_without_session_sync_they_break(self):
        """The control: what the others prove is the sync's doing, and not the lab's leniency."""
        self.lab.configure(priority={"gwA": 50, "gwB": 100}, sync=False)
        self.lab.start_gateways()
        self.lab.wait_master("gwA")
        wait_until(lambda: self.lab["gwB"].state() == "primary backup", 20, "a backup")
        self.start_traffic(Load(20, udp_rate=0))
        self.lab["gwA"].kill9()
        self.lab.wait_master("gwB")
        client = self.clients[0]
        waiting = lambda: client.lines("progress")[-1]["tcp_waiting"] + client.lines("progress")[-1]["tcp_broken"]
        wait_until(lambda: waiting() == 20, 20, "connections nobody knows any more")
        self.assertEqual(client.stop()["tcp"]["broken"], 20)


if __name__ == "__main__":
    main()
