#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Manual ch. 1, "Dynamic Routing Advisory": without data forwarding a routing daemon takes inactive VSIs for down, and
neighbours hear of the subnets behind them from the master alone."""
from harness import GATEWAYS, LabTest, main, wait_until
from nsrplab import TRUST, UNTRUST
from nsrplab.bgp import BgpSpeaker

ROUTER = 65000
NUMBERS = {"gwA": 65001, "gwB": 65002}


# VSD 1 has a trust subnet of its own, and shares the one on the untrust side.
SECOND = ["set nsrp vsd-group id 1", "set interface eth1:1 ip 10.3.0.1/24", "set interface eth1:1 ip fd00:3::1/64",
          f"set interface eth2:1 ip {UNTRUST.v4}11/24"]


class RoutingTest(LabTest):
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

    def wait_all_told(self, prefixes, *gateways):
        for prefix in prefixes:
            self.wait_told(prefix, *gateways)


class InactiveInterface(RoutingTest):
    def test_only_the_master_tells_its_subnets(self):
        self.start_routing()
        trust = [TRUST.network(v6) for v6 in (False, True)]
        self.wait_all_told(trust, "gwA", "gwB")
        self.everywhere("unset nsrp data-forwarding")
        for master in ("gwA", "gwB"):
            self.make_master(master)
            self.wait_all_told(trust, master)
            inactive = self.lab[self.lab.other(master)]
            self.assertIn("state DORMANT", inactive.ip("link", "show", "eth1"))
            # What is down is the VSI; the device itself is there as ever.
            self.lab.network.run("client", "ping", "-c", "1", "-W", "5", TRUST.manage(inactive.name))
        self.everywhere("set nsrp data-forwarding")
        self.wait_all_told(trust, "gwA", "gwB")


class SharedInterface(RoutingTest):
    settings = {"priority": {"gwA": 50, "gwB": 100}, "extra": SECOND}

    def test_each_tells_the_subnets_of_the_vsds_it_masters(self):
        self.start_routing()
        first, second = [TRUST.network(), TRUST.network(True)], ["10.3.0.0/24", "fd00:3::/64"]
        self.wait_all_told(first + second, "gwA", "gwB")
        self.everywhere("unset nsrp data-forwarding")
        self.give(1, "gwB")
        self.give(0, "gwA")
        self.wait_all_told(first, "gwA")
        self.wait_all_told(second, "gwB")
        self.give(0, "gwB")
        self.wait_all_told(first + second, "gwB")
        self.everywhere("set nsrp data-forwarding")
        self.wait_all_told(first + second, "gwA", "gwB")

    def give(self, vsd, gateway):
        if self.lab.masters(vsd) != [gateway]:
            self.command(gateway, f"exec nsrp vsd-group id {vsd} mode master")
        wait_until(lambda: self.lab.masters(vsd) == [gateway], 30, f"{gateway} master of VSD {vsd}")


if __name__ == "__main__":
    main()
