# SPDX-License-Identifier: Apache-2.0
"""What the tests of active/active clusters share: VSD 0 mastered by gwA, VSD 1 by gwB, VSIs of both on both sides."""
from harness import GATEWAYS, LabTest, wait_until
from nsrplab import TRUST, UNTRUST

# The second VSD's addresses: 10.1.0.11, fd00:2::11 …
SECOND = "11"
# Beyond the external router, which is the server here.
BEYOND = {False: "198.51.100.1", True: "fd00:99::1"}
# Packets that leave through VSD 1 are translated to an address of VSD 1: the mark tells (docs/bpf.md).
SECOND_NAT = (f"insert rule ip lab_nat postrouting meta mark and 0x7f000000 == 0x02000000 oifname eth2 "
              f"ip saddr {TRUST.network()} snat to {UNTRUST.v4}{SECOND}")


def second(subnet, v6=False):
    """The VSI of VSD 1 there."""
    return (subnet.v6 if v6 else subnet.v4) + SECOND


def everywhere(v6):
    return "::/0" if v6 else "0.0.0.0/0"


def default_route(vsi):
    return [f"set vrouter trust-vr route {everywhere(v6)} interface {vsi} gateway {UNTRUST.host(v6)}"
            for v6 in (False, True)]


def two_vsds(gateway):
    lines = ["set nsrp vsd-group id 1", f"set nsrp vsd-group id 1 priority {100 if gateway == 'gwA' else 50}"]
    for ifname, subnet in (("eth1", TRUST), ("eth2", UNTRUST)):
        lines += [f"set interface {ifname}:1 ip {second(subnet)}/24", f"set interface {ifname}:1 ip {second(subnet, True)}/64"]
    return lines + default_route("eth2")


class TwoVsdsTest(LabTest):
    settings = {"priority": {"gwA": 50, "gwB": 100}, "extra": {name: two_vsds(name) for name in GATEWAYS}}

    def setUp(self):
        super().setUp()
        for name in GATEWAYS:
            self.lab.network.run(name, "nft", SECOND_NAT)
        self.start_pair()
        # Who was up first on a busy machine may have taken both.
        for vsd, name in ((0, "gwA"), (1, "gwB")):
            if self.lab.masters(vsd) != [name]:
                self.command(name, f"exec nsrp vsd-group id {vsd} mode master")
        wait_until(lambda: self.lab.masters(0) == ["gwA"] and self.lab.masters(1) == ["gwB"], 30,
                   "gwA master of VSD 0 and gwB of VSD 1")
        wait_until(lambda: all(self.lab[name].in_sync() for name in GATEWAYS), 30, "both gateways in sync")
        self.count_from_here()

    def ip(self, host, *words):
        return self.lab.network.run(host, "ip", *(["-6"] if any("::" in word for word in words) else []), *words)

    def count_from_here(self):
        self.before = {name: self.lab[name].ask("get nsrp counters") for name in GATEWAYS}

    def gained(self, gateway, counter):
        return self.counter(gateway, counter) - self.before[gateway][counter]

    def send_client_through(self, vsd, v6=None):
        """The client's default gateway is this VSD's trust VSI."""
        for family in (False, True) if v6 is None else (v6,):
            gateway = second(TRUST, family) if vsd == 1 else TRUST.vsi(family)
            self.ip("client", "route", "replace", everywhere(family), "via", gateway)

    def send_server_through(self, vsd, v6):
        gateway = second(UNTRUST, v6) if vsd == 1 else UNTRUST.vsi(v6)
        self.ip("server", "route", "replace", everywhere(v6), "via", gateway)


__all__ = ["BEYOND", "GATEWAYS", "TwoVsdsTest", "default_route", "everywhere", "second", "two_vsds", "wait_until"]
