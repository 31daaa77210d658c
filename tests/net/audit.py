#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Somebody deletes sessions on the backup: the audit finds it, and after a takeover nothing is missing."""
from harness import LabTest, Load, main, wait_until

CONNECTIONS = 50


class Audit(LabTest):
    def audit(self, gateway):
        return self.lab[gateway].ask("get nsrp rto-mirror audit")

    def test_what_was_deleted_on_the_backup_comes_back(self):
        self.start_pair()
        self.start_traffic(Load(CONNECTIONS, udp_rate=100))
        master = self.lab.wait_pair()
        backup = self.lab.other(master)
        self.wait_mirrored(master, CONNECTIONS + 1)
        wait_until(lambda: self.audit(backup)["compared"] > 0, 60, "an audit")
        self.assertEqual(self.audit(backup)["differing"], 0)

        self.lab.network.run(backup, "conntrack", "-D", "-p", "tcp", "--dport", "7007")
        wait_until(lambda: self.lab[backup].sessions() < CONNECTIONS, 20, "sessions lost")
        wait_until(lambda: self.lab[backup].sessions() >= CONNECTIONS, 60, "sessions repaired",
                   instead=lambda: self.audit(backup))
        found = self.audit(backup)
        self.assertGreater(found["held_for_peer"]["differing"], 0)
        wait_until(lambda: self.audit(backup)["repaired"] == found["differing"], 20, "repaired buckets counted")
        self.assertLess(found["oldest_unaudited_ms"], 120_000)
        self.assertIn("repaired", self.command(backup, "get nsrp rto-mirror audit"))
        wait_until(lambda: self.audit(master)["at_peer"]["differing"] == found["differing"], 20, "the master knows")
        self.assertTrue(any("audit=differing" in text for text in self.events(backup, 400)))

        self.lab[master].kill9()
        self.lab.wait_master(backup)
        self.wait_flowing()
        for result in self.stop_traffic():
            self.assertEqual(result["tcp"]["broken"], 0)


if __name__ == "__main__":
    main()
