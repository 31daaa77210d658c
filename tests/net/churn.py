#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mastership changes again and again under traffic, and no frame with a virtual MAC leaves a gateway that is not master.

    churn.py 480        # as many changes as four hours with one every half minute
"""
import sys

from harness import LabTest, Load, VirtualMacWatch, main, wait_until
from nsrplab import TRUST, UNTRUST
from nsrplab.system import Process

CHANGES = int(sys.argv.pop(1)) if sys.argv[1:2] and sys.argv[1].isdigit() else 40
# One change in so many is a master that hangs, the others are handed over.
HANGS = 8


# A program on the gateway that tries to send with the virtual MAC, master or not.
IMPOSTOR = """
import socket, sys, time
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind((sys.argv[1], 0))
frame = bytes.fromhex("02ff00000001" + sys.argv[2].replace(":", "") + "88b6") + bytes(46)
while True:
    try:
        sender.send(frame)
    except OSError:
        pass  # what the guard drops is an error here
    time.sleep(0.02)
"""


class Churn(LabTest):
    def test_virtual_macs_are_the_masters_alone(self):
        watch = VirtualMacWatch(self.lab)
        self.start_pair()
        self.start_impostors()
        self.start_traffic(Load(0, udp_rate=500), Load(0, udp_rate=500, v6=True))
        for change in range(CHANGES):
            old = self.lab.wait_pair()
            new = self.lab.other(old)
            if (change + 1) % HANGS:
                self.command(old, "exec nsrp vsd-group id 0 mode backup")
                self.lab.wait_master(new)
            else:
                self.lab[old].freeze()
                # A frozen daemon answers nobody, so only the other one is asked.
                wait_until(lambda name=new: self.lab[name].state() == "master", 20, f"{new} master")
                self.lab[old].thaw()
        self.lab.wait_pair()
        self.wait_flowing()
        owners = {switch: len(turns) for switch, turns in watch.owners().items()}
        # On a busy machine a late heartbeat can make one more change. A frame of one that is not master makes two more
        # turns, and no change.
        promotions = sum(self.promotions(name) for name in self.gateways)
        print(f"    {promotions} promotions, turns of virtual MACs: {owners}")
        for switch, turns in owners.items():
            self.assertLessEqual(turns, promotions, f"a gateway that was not master used a virtual MAC on {switch}")
            self.assertGreater(turns, CHANGES)
        for name in self.gateways:
            self.assertGreater(self.counter(name, "tx_drop_vmac_source"), 0)
        self.stop_traffic()

    def start_impostors(self):
        for ifname, address, host in (("eth1", TRUST.vsi(), "client"), ("eth2", UNTRUST.vsi(), "server")):
            vmac = self.virtual_mac(address, host)
            for name in self.gateways:
                process = Process.spawn(self.lab.network.inside(name) + ["python3", "-c", IMPOSTOR, ifname, vmac])
                self.addCleanup(process.kill)

    def promotions(self, gateway):
        return self.lab[gateway].log_tail(100_000).count('to="master"')


if __name__ == "__main__":
    main()
