#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`set arp always-on-dest` (manual ch. 1): next hops come from ARP and neighbour discovery, not from the source MAC of
what comes in. Routers that share a virtual IP send from their physical MACs; what is sent there is lost."""
from harness import GATEWAYS, LabTest, Load, main, wait_until
from nsrplab import UNTRUST

PHYSICAL = "02:d0:00:00:00:99"
SUCCESSOR = "02:d0:00:00:00:02"
# What the server tells in ARP and ND is its interface's MAC; what it sends otherwise comes from another one.
FROM_PHYSICAL = f"""
table netdev physical {{
  chain out {{
    type filter hook egress device "eth0" priority 0;
    meta l4proto {{ tcp, udp }} ether saddr set {PHYSICAL}
  }}
}}
"""


class AlwaysOnDest(LabTest):
    def test_traffic_follows_arp_and_not_the_frames(self):
        master = self.start_pair()
        self.lab.network.run("server", "nft", "-f", "-", text_input=FROM_PHYSICAL)
        astray = self.lab.capture("untrust", master, f"ether dst {PHYSICAL}")
        self.start_traffic(Load(10, udp_rate=100), Load(10, udp_rate=100, v6=True))
        for words in ("set arp always-on-dest", "unset arp always-on-dest"):
            for name in GATEWAYS:
                self.command(name, words)
            self.wait_flowing()
            self.move_server(SUCCESSOR if words.startswith("set") else "02:d0:00:00:00:01")
            self.wait_flowing()
        self.stop_traffic()
        self.assertEqual(astray.stop(), [])

    def move_server(self, mac):
        """Another router takes over the server's addresses, and announces it as VRRP does."""
        run = self.lab.network.run
        run("server", "sysctl", "-qw", "net.ipv6.conf.eth0.ndisc_notify=1")
        run("server", "ip", "link", "set", "eth0", "address", mac)
        run("server", "arping", "-U", "-c", "1", "-I", "eth0", UNTRUST.host())
        master = self.lab[self.lab.master()]
        for address in (UNTRUST.host(), UNTRUST.host(True)):
            wait_until(lambda a=address: mac in master.ip("neigh", "show", a), 30, f"{address} at {mac}")


if __name__ == "__main__":
    main()
