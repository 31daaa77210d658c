# SPDX-License-Identifier: Apache-2.0
"""What mirrors sessions from gwA to gwB, without anything that fails over: OpenNSRP, and conntrackd in its modes."""
import abc
import contextlib
import os
import shutil

from nsrplab import GATEWAYS, LabError, wait_until
from nsrplab.sessions import compare
from nsrplab.system import Process

from .conntrackd import LINKS, conntrackd_conf, external_cache_size
from .system import PREFERRED, STANDBY, TwoNodes

MOST_SESSIONS = 3 << 19  # a million, and what comes meanwhile
TICKS = os.sysconf("SC_CLK_TCK")


class Mirror(TwoNodes):
    """gwA has the sessions, gwB is to have them: it is ready when new ones are mirrored."""
    into_kernel = True  # what is at gwB is in its conntrack, ready for use

    def __init__(self, lab):
        super().__init__(lab)
        self.process = {}  # by node: the daemon

    @abc.abstractmethod
    def cold_sync(self):
        """Has a daemon of gwB that has just started filled with all that gwA has; returns when that is under way."""

    def commit(self):
        """Makes what gwB holds usable for a takeover."""

    def end(self, node):
        if node in self.process and self.process[node].alive():
            self.process[node].kill()

    def wipe(self, node):
        self.end(node)
        self.forget_sessions(node)

    def renew(self):
        """Both nodes start afresh: what a daemon has taken for an earlier part it does not give back."""
        self.stop()
        for node in GATEWAYS:
            self.boot(node)
        self.wait_ready()

    def in_kernel(self, node):
        return int(self.lab.network.run(node, "conntrack", "-C").stdout)

    def replicated(self):
        """How many sessions gwB has; cheap enough to be asked often."""
        return self.in_kernel(STANDBY)

    def missing(self):
        """How many of gwA's sessions gwB does not have, entry by entry."""
        return self.compare().only_first

    def compare(self):
        return compare(self.lab.network, PREFERRED, STANDBY)

    def clear(self):
        """Both as after a start: sessions that ended by hand end at the peer, too."""
        self.forget_sessions(PREFERRED)
        wait_until(lambda: self.replicated() < 100, 120, f"{self.name}: the end of all sessions at {STANDBY}", 0.2)

    def cpu_seconds(self, node):
        with open(f"/proc/{self.process[node].pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_bytes(self, node):
        with open(f"/proc/{self.process[node].pid}/status", encoding="ascii", errors="replace") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


class OpenNsrpMirror(Mirror):
    name = "OpenNSRP"

    def configure(self):
        self.lab.configure(priority={PREFERRED: 50, STANDBY: 100}, preempt={PREFERRED: True, STANDBY: False},
                           hb_interval=200, hb_threshold=10)  # storms take all processors
        for node in GATEWAYS:
            self.lab[node].options = ["--max-sessions", str(MOST_SESSIONS)]

    def boot(self, node):
        self.lab[node].start(ready_within_s=120)  # the table is allocated as a whole
        self.process[node] = self.lab[node].process

    def wait_ready(self):
        if self.lab.wait_pair(120) != PREFERRED:
            raise LabError(f"{self.name}: {PREFERRED} is not the master")

    def cold_sync(self):
        pass  # it asks by itself

    def wipe(self, node):
        super().wipe(node)
        self.lab[node].clean()


class ConntrackdMirror(Mirror):
    def __init__(self, lab, mode, external_cache):
        super().__init__(lab)
        if shutil.which("conntrackd") is None:
            raise LabError("conntrackd is not installed: apt-get install conntrackd")
        self.mode, self.external_cache = mode, external_cache
        self.into_kernel = not external_cache
        self.name = f"conntrackd {mode}, " + ("external cache" if external_cache else "into the kernel")

    def configure(self):
        self.lab.network.make_static_gateway(PREFERRED)
        for node in GATEWAYS:
            folder = self.folder(node)
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, "conntrackd.conf"), "w", encoding="utf-8") as file:
                file.write(conntrackd_conf(node, folder, self.mode, self.external_cache))
            for ifname, net, _ in LINKS:
                self.lab[node].ip("addr", "replace", f"{net}.{1 if node == PREFERRED else 2}/24", "dev", ifname)

    def boot(self, node):
        folder = self.folder(node)
        for stale in ("conntrackd.lock", "conntrackd.ctl"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, stale))
        with open(os.path.join(folder, "conntrackd.out"), "ab") as output:
            self.process[node] = Process.spawn([*self.lab.network.inside(node), "conntrackd", "-C",
                                                f"{folder}/conntrackd.conf"], output)
        wait_until(lambda: self.control(node, "-s").returncode == 0, 20, f"conntrackd on {node}")

    def wait_ready(self):
        for node in GATEWAYS:
            self.control(node, "-s")

    def cold_sync(self):
        self.control(STANDBY, "-n")

    def commit(self):
        if self.external_cache:
            self.control(STANDBY, "-c")

    def replicated(self):
        if not self.external_cache:
            return self.in_kernel(STANDBY)
        return external_cache_size(self.control(STANDBY, "-s").stdout)

    def missing(self):
        return max(0, self.compare().first - self.replicated()) if self.external_cache else super().missing()

    def clear(self):
        for node in GATEWAYS:
            self.forget_sessions(node)
            self.control(node, "-f")
        super().clear()

    def folder(self, node):
        return os.path.join(self.lab.folder, f"{node}-conntrackd")

    def control(self, node, word):
        return self.lab.network.run(node, "conntrackd", "-C", f"{self.folder(node)}/conntrackd.conf", word, check=False)


MIRRORS = {
    "nsrp": OpenNsrpMirror,
    "ftfw-kernel": lambda lab: ConntrackdMirror(lab, "FTFW", False),
    "ftfw-cache": lambda lab: ConntrackdMirror(lab, "FTFW", True),
    "notrack-kernel": lambda lab: ConntrackdMirror(lab, "NOTRACK", False),
    "notrack-cache": lambda lab: ConntrackdMirror(lab, "NOTRACK", True),
}
