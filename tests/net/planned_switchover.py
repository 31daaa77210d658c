#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A planned switch loses no packet: by command on either side, by preemption, by SIGTERM. `planned_switchover.py 20`
switches 20 times by command instead of 6."""
import sys

from harness import LabTest, Load, VirtualMacWatch, main

LOAD = Load(200, udp_rate=5000)
SWITCHES = 6


class Switchover(LabTest):
    # A machine that stands still for a while must not be a failover.
    settings = {"priority": {"gwA": 50, "gwB": 100}, "hb_threshold": 10}

    def start_loaded_pair(self):
        master = self.start_pair()
        self.start_traffic(LOAD)
        self.wait_mirrored(master, 201)
        return master

    def wait_switched(self, master):
        """Until this gateway is master, and the other one holds its sessions again."""
        self.lab.wait_master(master)
        self.assertEqual(self.lab.wait_pair(), master)
        self.wait_mirrored(master, 201)
        self.wait_flowing()

    def assert_nothing_lost(self):
        for gateway in self.lab.gateways.values():
            if gateway.alive():
                counters = gateway.ask("get nsrp counters")
                drops = {name: value for name, value in counters.items() if "drop" in name and value}
                print(f"    {gateway.name}: drained {counters['tx_drained']}, taken over by a packet "
                      f"{counters['dl_succeeded']} times, over the data link {counters['dl_rx']}, drops {drops}")
        result = self.stop_traffic()[0]
        print(f"    reordered {result['udp']['reordered']}, duplicates {result['udp']['duplicates']}")
        self.assertEqual(result["udp"]["lost"], 0)

    def assert_ready_each_time(self):
        """No switch happened because time was up."""
        for name in self.lab.gateways:
            texts = self.events(name, 200) + self.events(name, 202)
            self.assertEqual([t for t in texts if "within" in t or "given up" in t], [])


class ByCommand(Switchover):
    def test_commands_on_either_side(self):
        master = self.start_loaded_pair()
        for turn in range(SWITCHES):
            other = self.lab.other(master)
            if turn % 2:
                self.command(other, "exec nsrp vsd-group id 0 mode master")
            else:
                self.command(master, "exec nsrp vsd-group id 0 mode backup")
            master = other
            self.wait_switched(master)
        self.assert_ready_each_time()
        self.assert_nothing_lost()

    def test_an_ineligible_master_leaves_without_loss(self):
        master = self.start_loaded_pair()
        self.command(master, "exec nsrp vsd-group id 0 mode ineligible")
        self.lab.wait_master(self.lab.other(master))
        self.wait_flowing()
        self.assert_ready_each_time()
        self.assert_nothing_lost()


class ByStop(Switchover):
    def test_sigterm(self):
        first = self.start_loaded_pair()
        watch = VirtualMacWatch(self.lab).wait_used(first)
        self.assertEqual(self.lab[first].terminate(), 0)
        second = self.lab.other(first)
        self.lab.wait_master(second)
        self.wait_flowing()
        self.lab[first].start()
        self.wait_switched(second)
        # What the old master still lets out does not bear the virtual MAC.
        self.assertEqual(watch.owners(), {"trust": [first, second], "untrust": [first, second]})
        self.assert_nothing_lost()


class ByPreemption(Switchover):
    settings = Switchover.settings | {"preempt": {"gwA": True, "gwB": False}}

    def test_the_better_priority_comes_back(self):
        self.assertEqual(self.start_loaded_pair(), "gwA")
        self.assertEqual(self.lab["gwA"].terminate(), 0)
        self.lab.wait_master("gwB")
        self.wait_flowing()
        self.lab["gwA"].start()
        self.wait_switched("gwA")
        self.assert_ready_each_time()
        self.assert_nothing_lost()


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].isdigit():
        SWITCHES = int(sys.argv.pop(1))
    main()
