#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The backup's daemon ends and starts again, by SIGKILL and by SIGTERM: traffic does not notice."""
from harness import LabTest, Load, main


class RestartBackup(LabTest):
    def test_nothing_is_lost(self):
        self.start_pair()
        self.start_traffic(Load(100, udp_rate=1000))
        for turn in range(2):
            master = self.lab.wait_pair()
            backup = self.lab[self.lab.other(master)]
            for end in (backup.kill9, backup.terminate):
                end()
                self.assert_master_stays(master, 1)
                backup.start()
                self.assertEqual(self.lab.wait_pair(), master)
            if turn == 0:  # now the other way round
                done = self.lab[master].cli("exec nsrp vsd-group id 0 mode backup")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.lab.wait_master(backup.name)
        self.wait_flowing()
        result = self.stop_traffic()[0]
        self.assertLess(result["udp"]["lost"], 20)


if __name__ == "__main__":
    main()
