#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The master's daemon stops (SIGSTOP) and goes on later: its lease ends in the data path before the peer takes over."""
from harness import GATEWAYS, LabTest, Load, main, owners_over_time, wait_until


class FreezeMaster(LabTest):
    def test_never_two_users_of_a_virtual_mac(self):
        first = self.start_pair()
        second = self.lab.other(first)
        self.start_traffic(Load(100, udp_rate=1000))
        captures = {(switch, name): self.lab.capture(switch, name)
                    for switch in ("trust", "untrust") for name in GATEWAYS}
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
        frames = {key: capture.stop() for key, capture in captures.items()}
        for switch in ("trust", "untrust"):
            owners = owners_over_time({name: frames[switch, name] for name in GATEWAYS})
            self.assertEqual(owners, [first, second, first], f"users of virtual MACs in turn, on {switch}")


if __name__ == "__main__":
    main()
