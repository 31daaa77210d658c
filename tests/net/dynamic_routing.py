#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Manual ch. 1, "Dynamic Routing Advisory": without data forwarding a routing daemon takes inactive VSIs for down, and
neighbours hear of the subnets behind them from the master alone."""
from harness import GATEWAYS, LabTest, main, wait_until
from nsrplab import TRUST, UNTRUST
from nsrplab.bgp import BgpSpeaker

ROUTER = 65000
NUMBERS = {"gwA": 65001, "gwB": 65002}


class DynamicRouting(LabTest):
    def setUp(self):
        super().setUp()
        self.router = self.speaker("server", ROUTER, UNTRUST.host(),
                                   {UNTRUST.manage(name): number for name, number in NUMBERS.items()})

    def speaker(self, host, number, address, neighbours):
        speaker = BgpSpeaker(self.lab.network, self.lab.folder, host, number, address, neighbours)
        self.addCleanup(speaker.kill)
        return speaker

    def start_routing(self):
        self.start_pair()
        for name, number in NUMBERS.items():
            self.speaker(name, number, UNTRUST.manage(name), {UNTRUST.host(): ROUTER})

    def told_by(self, prefix):
        hops = self.router.next_hops(prefix)
        return [name for name in GATEWAYS if UNTRUST.manage(name) in hops]

    def wait_told(self, prefix, *gateways):
        wait_until(lambda: self.told_by(prefix) == list(gateways), 30, f"{prefix} told by {' and '.join(gateways)}",
                   interval_s=0.2, instead=lambda: f"but by {self.told_by(prefix)}")

    def everywhere(self, words):
        for name in GATEWAYS:
            self.command(name, words)

    def test_only_the_master_tells_its_subnets(self):
        self.start_routing()
        trust = [TRUST.network(v6) for v6 in (False, True)]
        for prefix in trust:
            self.wait_told(prefix, "gwA", "gwB")
        self.everywhere("unset nsrp data-forwarding")
        for master in ("gwA", "gwB"):
            self.make_master(master)
            for prefix in trust:
                self.wait_told(prefix, master)
            inactive = self.lab[self.lab.other(master)]
            self.assertIn("state DORMANT", inactive.ip("link", "show", "eth1"))
            # What is down is the VSI; the device itself is there as ever.
            self.assert_reaches("client", TRUST.manage(inactive.name))
        self.everywhere("set nsrp data-forwarding")
        for prefix in trust:
            self.wait_told(prefix, "gwA", "gwB")

    def assert_reaches(self, host, address):
        self.lab.network.run(host, "ping", "-c", "1", "-W", "5", address)


if __name__ == "__main__":
    main()
