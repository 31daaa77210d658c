# SPDX-License-Identifier: Apache-2.0
"""Names, addresses and cables of the lab: what is where, as plain values.

    client -- (trust switch) -- eth1 gwA eth2 -- (untrust switch) -- server
                          `---- eth1 gwB eth2 ----'
    gwA and gwB also share two cables, ha1 and ha2.
"""
from typing import NamedTuple

GATEWAYS = ("gwA", "gwB")
HOSTS = ("client", "server") + GATEWAYS
SWITCHES = ("trust", "untrust")
HA_SWITCH = "ha"
BRIDGE = "br0"

# Virtual MACs of NSRP begin with this, the lab's own MACs never do.
VIRTUAL_MAC_PREFIX = bytes.fromhex("024e53")


class Subnet(NamedTuple):
    """Addresses on one side of the gateways: the VSI's, the end host's, each gateway's own."""
    v4: str
    v6: str

    def vsi(self, v6=False):
        return f"{self.v6}1" if v6 else f"{self.v4}1"

    def host(self, v6=False):
        return f"{self.v6}100" if v6 else f"{self.v4}100"

    def manage(self, gateway, v6=False):
        number = 2 + GATEWAYS.index(gateway)
        return f"{self.v6}{number}" if v6 else f"{self.v4}{number}"

    def network(self, v6=False):
        return f"{self.v6}/64" if v6 else f"{self.v4}0/24"


TRUST = Subnet("10.1.0.", "fd00:1::")
UNTRUST = Subnet("10.2.0.", "fd00:2::")

# Ports of the untrust VSI that lead to the client (DNAT), so that sessions can begin on either side.
ECHO_PORT = 7007
FORWARDED_PORT = 7070


class End(NamedTuple):
    """One end of a cable."""
    host: str
    ifname: str
    mac: str


class Cable(NamedTuple):
    name: str
    ends: tuple


def gateway_mac(gateway, number):
    # gwB's are the higher ones: with equal priorities the higher unit id wins.
    return f"02:{'a0' if gateway == 'gwA' else 'b0'}:00:00:00:{number:02x}"


def cables(ha_switch):
    """Every cable of the lab. The first end is the host's, the second the switch's (or gwB's)."""
    found = [
        Cable("client", (End("client", "eth0", "02:c0:00:00:00:01"), End("trust", "client", "02:f0:00:00:01:01"))),
        Cable("server", (End("server", "eth0", "02:d0:00:00:00:01"), End("untrust", "server", "02:f0:00:00:02:01"))),
    ]
    for index, gateway in enumerate(GATEWAYS):
        for number, switch in enumerate(SWITCHES, start=1):
            found.append(Cable(f"{gateway}-{switch}", (
                End(gateway, f"eth{number}", gateway_mac(gateway, number)),
                End(switch, gateway, f"02:f0:00:00:{number:02x}:{index + 2:02x}"))))
    for number in (1, 2):
        name, mac_number = f"ha{number}", 0x10 + number
        if not ha_switch:
            found.append(Cable(name, tuple(End(g, name, gateway_mac(g, mac_number)) for g in GATEWAYS)))
            continue
        for index, gateway in enumerate(GATEWAYS):
            found.append(Cable(f"{gateway}-{name}", (
                End(gateway, name, gateway_mac(gateway, mac_number)),
                End(HA_SWITCH, f"{gateway}-{name}", f"02:f0:00:01:{number:02x}:{index + 2:02x}"))))
    return found


def select_cables(link, ha_switch):
    """The cables a name stands for: one cable, an HA link with both its ends, or all of a gateway."""
    every = cables(ha_switch)
    chosen = [c for c in every if c.name == link]
    if not chosen and link in ("ha1", "ha2"):
        chosen = [c for c in every if c.name.endswith("-" + link)]
    if not chosen and link in GATEWAYS:
        chosen = [c for c in every if any(e.host == link for e in c.ends)]
    return chosen


def link_names(ha_switch):
    return sorted({c.name for c in cables(ha_switch)} | {"ha1", "ha2"} | set(GATEWAYS))
