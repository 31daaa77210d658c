# SPDX-License-Identifier: Apache-2.0
"""What a bench wants from a pair of gateways, whoever made it. gwA is the preferred master, gwB stands by."""
import abc

from nsrplab import GATEWAYS, wait_until

PREFERRED, STANDBY = GATEWAYS


class TwoNodes(abc.ABC):
    """What runs on both gateways of a lab: how it begins and ends."""
    name = ""

    def __init__(self, lab):
        self.lab = lab

    @abc.abstractmethod
    def configure(self):
        """Writes what both nodes need on disk and in the kernel before their daemons start."""

    @abc.abstractmethod
    def boot(self, node):
        """Starts the node's daemons as an init system would."""

    @abc.abstractmethod
    def wait_ready(self):
        """Until both nodes do what they are there for."""

    @abc.abstractmethod
    def wipe(self, node):
        """The node as after a power cycle: no daemon, nothing of theirs in the kernel, no sessions."""

    def start(self):
        self.configure()
        for node in GATEWAYS:
            self.boot(node)
        self.wait_ready()

    def stop(self):
        for node in GATEWAYS:
            self.wipe(node)

    def forget_sessions(self, node):
        self.lab.network.run(node, "conntrack", "-F", check=False)


class PairUnderTest(TwoNodes):
    tier = ""  # systems of one tier are compared with each other

    @abc.abstractmethod
    def kill(self, node):
        """SIGKILL to all daemons of the node; what they set up in the kernel stays."""

    @abc.abstractmethod
    def leave(self, node):
        """The operator ends the node's daemon with SIGTERM: a planned switchover."""

    @abc.abstractmethod
    def holders(self):
        """The set of nodes that hold the virtual addresses as masters."""

    @abc.abstractmethod
    def replicated(self, node):
        """How many sessions of the master this node could take over."""

    @abc.abstractmethod
    def synchronised(self):
        """Whether the standby is ready to take over."""

    def wait_ready(self):
        self.wait_holders({PREFERRED})
        wait_until(self.synchronised, 40, f"{self.name}: a standby in sync", 0.2)

    def wait_holders(self, nodes, deadline_s=40):
        wait_until(lambda: self.holders() == nodes, deadline_s, f"{self.name}: {' and '.join(nodes)} as master")

    def wait_taken_over(self):
        wait_until(lambda: STANDBY in self.holders(), 20, f"{self.name}: takeover by {STANDBY}", 0.02)

    def wait_replicated(self, sessions):
        wait_until(lambda: self.replicated(STANDBY) >= sessions, 30,
                   f"{self.name}: {sessions} sessions at {STANDBY}", 0.2)

    def cut(self, node):
        """Every cable of the node swallows its frames, carrier stays up: nothing tells anybody but silence."""
        self.lab.cut(node, silent=True)

    def heal(self, node):
        self.lab.heal(node)
