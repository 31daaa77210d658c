#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A cluster of three: the primary backup takes over, the third takes its place, and the RTO peer goes before a better
priority (manual ch. 1, "VSD Group Member States")."""
from harness import THREE_GATEWAYS, LabTest, Load, main, wait_until


class ThreeMembers(LabTest):
    ha_switch = True
    gateways = THREE_GATEWAYS
    settings = {"priority": {"gwA": 50, "gwB": 100, "gwC": 150}}

    def states(self):
        return {name: gateway.state() if gateway.alive() else None for name, gateway in self.lab.gateways.items()}

    def wait_states(self, **expected):
        wanted = {name: expected.get(name) for name in THREE_GATEWAYS}
        wait_until(lambda: self.states() == wanted, 40, f"{wanted}", instead=self.states)

    def start_in_turn(self):
        """gwC comes last. Of two backups that start in the same moment the first one to be primary backup stays it."""
        self.lab["gwA"].start(ready_within_s=0)
        self.lab["gwB"].start()
        self.wait_states(gwA="master", gwB="primary backup")
        self.lab["gwC"].start()
        self.wait_states(gwA="master", gwB="primary backup", gwC="backup")

    def wait_in_sync(self, backup, sessions):
        wait_until(lambda: self.lab[backup].in_sync() and self.lab[backup].sessions() >= sessions, 40,
                   f"{backup} in sync with {sessions} sessions", instead=self.lab.describe)

    def test_mastership_passes_from_one_to_the_next(self):
        self.start_in_turn()
        self.start_traffic(Load(20, udp_rate=500))
        self.wait_in_sync("gwB", 20)
        self.assertEqual(self.lab["gwC"].status()["rto_mirror"]["peer"], "")
        self.assert_master_stays("gwA", 2)

        self.lab["gwA"].kill9()
        self.lab.wait_master("gwB")
        self.wait_flowing()
        self.wait_states(gwB="master", gwC="primary backup")
        self.wait_in_sync("gwC", 20)

        # gwA has the best priority, but gwC holds the sessions: it stays the primary backup, and is the one to take over.
        self.lab["gwA"].start()
        self.wait_states(gwA="backup", gwB="master", gwC="primary backup")
        self.assert_master_stays("gwB", 2)
        self.lab["gwB"].kill9()
        self.lab.wait_master("gwC")
        self.wait_flowing()
        self.wait_states(gwA="primary backup", gwC="master")
        self.wait_in_sync("gwA", 20)
        self.lab["gwB"].start()
        self.wait_states(gwA="primary backup", gwB="backup", gwC="master")
        self.stop_traffic()

    def test_a_planned_stop_hands_over_to_the_primary_backup(self):
        self.start_in_turn()
        self.start_traffic(Load(20, udp_rate=500))
        self.wait_in_sync("gwB", 20)
        self.lab["gwA"].terminate()
        self.lab.wait_master("gwB")
        self.wait_flowing()
        self.wait_states(gwB="master", gwC="primary backup")
        self.stop_traffic()


if __name__ == "__main__":
    main()
