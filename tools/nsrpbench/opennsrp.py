# SPDX-License-Identifier: Apache-2.0
"""OpenNSRP as a system under test."""
import os

from nsrplab import GATEWAYS

from .system import PREFERRED, STANDBY, PairUnderTest

INTERFACES = ("eth1", "eth2", "ha1", "ha2")


class OpenNsrp(PairUnderTest):
    def __init__(self, lab, tier, hb_interval, hb_threshold):
        super().__init__(lab)
        self.tier = tier
        self.name = f"OpenNSRP {hb_interval} ms x {hb_threshold}"
        self.settings = {"hb_interval": hb_interval, "hb_threshold": hb_threshold}

    def configure(self):
        # The lower number is the better priority.
        self.lab.configure(priority={PREFERRED: 50, STANDBY: 100}, preempt={PREFERRED: True, STANDBY: False},
                           **self.settings)

    def boot(self, node):
        self.lab[node].start()

    def kill(self, node):
        self.lab[node].kill9()

    def leave(self, node):
        self.lab[node].terminate()

    def wipe(self, node):
        gateway = self.lab[node]
        gateway.clean()
        for ifname in INTERFACES:
            gateway.ip("link", "set", "dev", ifname, "xdp", "off")
            self.lab.network.run(node, "tc", "qdisc", "del", "dev", ifname, "clsact", check=False)
            if not ifname.startswith("ha"):
                gateway.ip("addr", "flush", "dev", ifname, "scope", "global")
        for socket in os.listdir(gateway.run_dir):
            os.unlink(os.path.join(gateway.run_dir, socket))
        self.forget_sessions(node)

    def holders(self):
        return set(self.lab.masters())

    def replicated(self, node):
        return self.lab[node].sessions()

    def synchronised(self):
        return all(self.lab[node].in_sync() for node in GATEWAYS)
