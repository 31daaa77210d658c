# SPDX-License-Identifier: Apache-2.0
"""FRR's zebra and bgpd inside a host of the lab: a routing daemon that knows nothing of NSRP."""
import json
import os
import shutil

from .system import Process, run, wait_until

FRR = "/usr/lib/frr"


class BgpSpeaker:
    """Tells its connected subnets, IPv4 and IPv6, to its neighbours over IPv4."""

    def __init__(self, network, folder, host, number, address, neighbours):
        """`number`: of its own autonomous system. `neighbours`: address → number of theirs."""
        self.folder = os.path.join(folder, f"bgp-{host}")
        os.makedirs(self.folder)
        lines = [f"router bgp {number}", f"bgp router-id {address}", "no bgp ebgp-requires-policy",
                 # No hurry for anything but the first session: what is shown here must not come from timers.
                 "no bgp default ipv4-unicast"]
        for neighbour, theirs in neighbours.items():
            lines += [f"neighbor {neighbour} remote-as {theirs}", f"neighbor {neighbour} timers connect 1",
                      f"neighbor {neighbour} advertisement-interval 0"]
        for family in ("ipv4", "ipv6"):
            lines += [f"address-family {family} unicast", "redistribute connected"]
            lines += [f"neighbor {neighbour} activate" for neighbour in neighbours]
            lines += ["exit-address-family"]
        for name, text in (("zebra.conf", []), ("bgpd.conf", lines)):
            with open(os.path.join(self.folder, name), "w", encoding="ascii") as config:
                config.write("\n".join(text) + "\n")
        shutil.chown(self.folder, "frr", "frr")
        self.processes = [self._start(network, host, daemon) for daemon in ("zebra", "bgpd")]

    def _start(self, network, host, daemon):
        def path(name):
            return os.path.join(self.folder, name)
        with open(path(f"{daemon}.log"), "wb") as log:
            process = Process.spawn(network.inside(host) + [
                f"{FRR}/{daemon}", "-u", "frr", "-g", "frr", "-f", path(f"{daemon}.conf"), "-i", path(f"{daemon}.pid"),
                "-z", path("zserv"), "--vty_socket", self.folder, "-A", "127.0.0.1"], log)
        wait_until(lambda: os.path.exists(path(f"{daemon}.vty")), 20, f"{daemon} on {host}")
        return process

    def next_hops(self, prefix):
        """From where this prefix was learned: the neighbours' addresses."""
        family = "ipv6" if ":" in prefix else "ipv4"
        said = run(["vtysh", "--vty_socket", self.folder, "-d", "bgpd", "-c", f"show bgp {family} unicast json"]).stdout
        return sorted(path["peerId"] for path in json.loads(said)["routes"].get(prefix, []) if path.get("valid"))

    def kill(self):
        for process in self.processes:
            process.kill()
