#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The master's daemon stops (SIGSTOP) and goes on later: its lease ends in the data path before the peer takes over."""
from harness import LabTest, Load, VirtualMacWatch, main, wait_until


class FreezeMaster(LabTest):
    def test_never_two_users_of_a_virtual_mac(self):
        first = self.start_pair()
        second = self.lab.other(first)
        self.start_traffic(Load(100, udp_rate=1000))
        watch = VirtualMacWatch(self.lab)
        for frozen in (first, second):
            self.assertEqual(self.lab.wait_pair(), frozen)
            self.wait_mirrored(frozen, 100)
            self.lab[frozen].freeze()
            # A frozen daemon answers nobody, so only the other one is asked.
            survivor = self.lab[self.lab.other(frozen)]
            wait_until(lambda: survivor.state() == "master", 20, f"{survivor.name} master")
            self.wait_flowing()
            self.lab[frozen].thaw()
            self.assertEqual(self.lab.wait_pair(), survivor.name)
            self.assert_master_stays(survivor.name, 2)
        self.wait_flowing()
        self.stop_traffic()
        self.assertEqual(watch.owners(), {"trust": [first, second, first], "untrust": [first, second, first]})


if __name__ == "__main__":
    main()
