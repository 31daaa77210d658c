# SPDX-License-Identifier: Apache-2.0
"""Names, addresses and cables of the lab: what is where, as plain values.

    client -- (trust switch) -- eth1 gwA eth2 -- (untrust switch) -- server
                          `---- eth1 gwB eth2 ----'
    gwA and gwB also share two cables, ha1 and ha2.

With HA switches each of the two is a path through two switches (manual ch. 1, figure 12), so that it can break in its
middle while every carrier stays up:

    gwA -- br-ha1a -- ha1-inner -- br-ha1b -- gwB     (and a third gateway, gwC, beside gwB)
"""
from typing import NamedTuple

GATEWAYS = ("gwA", "gwB")
THREE_GATEWAYS = ("gwA", "gwB", "gwC")
END_HOSTS = ("client", "server")
HA_LINKS = ("ha1", "ha2")
SWITCHES = ("trust", "untrust")
HA_SWITCH = "ha"
BRIDGE = "br0"


class Subnet(NamedTuple):
    """Addresses on one side of the gateways: the VSI's, the end host's, each gateway's own."""
    v4: str
    v6: str

    def vsi(self, v6=False):
        return f"{self.v6}1" if v6 else f"{self.v4}1"

    def host(self, v6=False):
        return f"{self.v6}100" if v6 else f"{self.v4}100"

    def manage(self, gateway, v6=False):
        number = 2 + THREE_GATEWAYS.index(gateway)
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


class Layout(NamedTuple):
    """What there is in a lab."""
    ha_switch: bool = False  # two switches in each HA link, instead of a cable
    gateways: tuple = GATEWAYS

    @property
    def hosts(self):
        return END_HOSTS + self.gateways

    @property
    def switches(self):
        return SWITCHES + ((HA_SWITCH,) if self.ha_switch else ())


def gateway_mac(gateway, number):
    # They rise from gwA on: with equal priorities the higher unit id wins.
    return f"02:{'a0' if gateway == 'gwA' else 'b0' if gateway == 'gwB' else 'b8'}:00:00:00:{number:02x}"


def cables(layout):
    """Every cable of the lab. The first end is the host's, the second the switch's (or gwB's)."""
    found = [
        Cable("client", (End("client", "eth0", "02:c0:00:00:00:01"), End("trust", "client", "02:f0:00:00:01:01"))),
        Cable("server", (End("server", "eth0", "02:d0:00:00:00:01"), End("untrust", "server", "02:f0:00:00:02:01"))),
    ]
    for index, gateway in enumerate(layout.gateways):
        for number, switch in enumerate(SWITCHES, start=1):
            found.append(Cable(f"{gateway}-{switch}", (
                End(gateway, f"eth{number}", gateway_mac(gateway, number)),
                End(switch, gateway, f"02:f0:00:00:{number:02x}:{index + 2:02x}"))))
    for number, name in enumerate(HA_LINKS, start=1):
        mac_number = 0x10 + number
        if not layout.ha_switch:
            found.append(Cable(name, tuple(End(g, name, gateway_mac(g, mac_number)) for g in GATEWAYS)))
            continue
        found.append(Cable(f"{name}-inner", tuple(
            End(HA_SWITCH, f"{name}-{side}", f"02:f0:00:02:{number:02x}:{index:02x}")
            for index, side in enumerate("ab"))))
        for index, gateway in enumerate(layout.gateways):
            found.append(Cable(f"{gateway}-{name}", (
                End(gateway, name, gateway_mac(gateway, mac_number)),
                End(HA_SWITCH, f"{gateway}-{name}", f"02:f0:00:01:{number:02x}:{index + 2:02x}"))))
    return found


def bridge_of(switch, port):
    """Which bridge of a switch's namespace a port belongs to. The HA switch is four: two in a row for each link."""
    if switch != HA_SWITCH:
        return BRIDGE
    name = next(link for link in HA_LINKS if link in port)
    return f"br-{name}{'a' if port in (f'gwA-{name}', f'{name}-a') else 'b'}"


def select_cables(link, layout):
    """The cables a name stands for: one cable, an HA link with all its ends, or all of a gateway."""
    every = cables(layout)
    chosen = [c for c in every if c.name == link]
    if not chosen and link in HA_LINKS:
        chosen = [c for c in every if c.name.endswith("-" + link)]
    if not chosen and link in layout.gateways:
        chosen = [c for c in every if any(e.host == link for e in c.ends)]
    return chosen


def link_names(layout):
    return sorted({c.name for c in cables(layout)} | set(HA_LINKS) | set(layout.gateways))
