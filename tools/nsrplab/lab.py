# SPDX-License-Identifier: Apache-2.0
"""A whole lab: the network, two gateways, traffic. Several stand side by side, told apart by their prefix."""
import json
import os
import re
import shutil
import sys
from typing import NamedTuple

from .build import program
from .capture import VIRTUAL_SOURCE, Capture
from .gateway import Gateway, pair_config
from .network import Network
from .sessions import SessionStorm, compare
from .system import LabError, Process, run, wait_until
from .topology import GATEWAYS, THREE_GATEWAYS, TRUST, UNTRUST, Layout
from .traffic import EchoServer, TrafficClient

STATE_ROOT = "/run/nsrp-lab"
DEFAULT_PREFIX = "nsrp-"


class Helper(NamedTuple):
    """A process the lab ends when it goes down."""
    process: Process


class Lab:
    """
        with Lab("demo-") as lab:
            lab.up()
            lab.start_gateways()
            lab.cut("gwA")
    """

    def __init__(self, prefix=DEFAULT_PREFIX):
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,30}", prefix):
            raise LabError(f"'{prefix}' is no prefix: small letters, digits, '.' and '-', 31 at most")
        if os.geteuid() != 0:
            raise LabError("the lab builds network namespaces: run it as root")
        self.prefix = prefix
        self.folder = os.path.join(STATE_ROOT, prefix)
        recorded = self._recorded()
        self.network = Network(prefix, Layout(recorded.get("ha_switch", False),
                                              tuple(recorded.get("gateways", GATEWAYS))))
        self.gateways = {}
        self._helpers = []  # captures, servers and clients this program started
        if self.is_up():
            self._open_gateways()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.down()

    def _recorded(self):
        try:
            with open(os.path.join(self.folder, "lab.json"), encoding="utf-8") as record:
                return json.load(record)
        except (OSError, ValueError):
            return {}

    def _open_gateways(self):
        self.gateways = {name: Gateway(name, self.network, os.path.join(self.folder, name))
                         for name in self.network.layout.gateways}

    # Life

    def is_up(self):
        return bool(self._recorded()) and bool(self.network.existing())

    def require_up(self):
        if not self.is_up():
            raise LabError(f"lab '{self.prefix}' is not up")

    def up(self, ha_switch=False, gateways=GATEWAYS):
        """Builds hosts, switches and cables, and writes a configuration for each gateway. No daemon is started."""
        if len(gateways) > 2 and not ha_switch:
            raise LabError("a cable has two ends: three gateways share their HA links through switches")
        if self.network.existing():
            raise LabError(f"a lab '{self.prefix}' exists already: take it down first")
        # bpffs is not mounted everywhere, and pinned maps need it.
        if run(["mountpoint", "-q", "/sys/fs/bpf"], check=False).returncode != 0:
            run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"])
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder, mode=0o755)
        with open(os.path.join(self.folder, "lab.json"), "w", encoding="utf-8") as record:
            json.dump({"ha_switch": ha_switch, "gateways": gateways}, record)
        self.network = Network(self.prefix, Layout(ha_switch, tuple(gateways)))
        try:
            self.network.build(program("pass.bpf.o"))
            self._open_gateways()
            for name, gateway in self.gateways.items():
                gateway.configure(pair_config(name, priority=50 if name == "gwA" else 100))
        except BaseException:
            self.down()
            raise

    def down(self):
        """Removes everything of this lab. Harmless when there is nothing, or only half of it."""
        for helper in self._helpers:
            helper.process.kill()
        self._helpers = []
        for name in THREE_GATEWAYS:
            folder = os.path.join(self.folder, name)
            gateway = self.gateways.get(name) or (Gateway(name, self.network, folder) if os.path.isdir(folder) else None)
            if gateway:
                gateway.clean()
            shutil.rmtree(f"/sys/fs/bpf/{self.prefix}{name}", ignore_errors=True)
        self.network.remove()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.gateways = {}
        if os.path.isdir(STATE_ROOT) and not os.listdir(STATE_ROOT):
            os.rmdir(STATE_ROOT)

    def leftovers(self):
        """What is still there of this lab, in words. Empty after down()."""
        found = [f"namespace {self.network.namespace(h)}" for h in self.network.existing()]
        found += [f"pinned {self.bpf_dir(g)}" for g in THREE_GATEWAYS if os.path.exists(self.bpf_dir(g))]
        return found

    def bpf_dir(self, gateway):
        return f"/sys/fs/bpf/{self.prefix}{gateway}"

    # Gateways

    def __getitem__(self, name):
        if name not in self.gateways:
            raise LabError(f"no gateway '{name}' in lab '{self.prefix}'"
                           + ("" if self.gateways else ": it is not up"))
        return self.gateways[name]

    def other(self, name):
        """The other gateway of a pair."""
        return next(g for g in GATEWAYS if g != name)

    def configure(self, **settings):
        """Writes both configurations; a setting that is a dict is taken by gateway, e.g. priority={"gwA": 50, "gwB": 100}."""
        for name, gateway in self.gateways.items():
            gateway.configure(pair_config(name, **{
                key: value[name] if isinstance(value, dict) else value for key, value in settings.items()}))

    def start_gateways(self):
        for gateway in self.gateways.values():
            gateway.start(ready_within_s=0)
        for gateway in self.gateways.values():
            gateway.wait_ready()

    def masters(self, vsd=0):
        return [name for name, gateway in self.gateways.items() if gateway.alive() and gateway.state(vsd) == "master"]

    def master(self):
        """The one master's name, or None while there is none or there are two."""
        masters = self.masters()
        return masters[0] if len(masters) == 1 else None

    def describe(self):
        """Where the pair stands, in a line: for messages."""
        def one(name, gateway):
            status = gateway.status() if gateway.alive() else None
            if status is None:
                return f"{name} does not answer"
            mirror = status["rto_mirror"]
            return (f"{name} {gateway.state()}, rto {mirror['state']}, {'' if mirror['in_sync'] else 'not '}in sync, "
                    f"{mirror['sessions']} sessions")
        return "(" + "; ".join(one(name, gateway) for name, gateway in self.gateways.items()) + ")"

    def wait_master(self, name=None, deadline_s=30):
        """Until exactly one gateway is master, and it is this one if named. Returns its name."""
        return wait_until(lambda: (m := self.master()) and (name is None or m == name) and m, deadline_s,
                          f"{name or 'one gateway'} as the only master", instead=self.describe)

    def wait_pair(self, deadline_s=40):
        """Until one is master and the other stands behind it with the sessions. Returns the master's name."""
        def settled():
            states = {name: gateway.state() for name, gateway in self.gateways.items()}
            behind = [n for n, s in states.items() if s in ("backup", "primary backup")]
            masters = [n for n, s in states.items() if s == "master"]
            return masters[0] if len(masters) == 1 and len(behind) == 1 and self[behind[0]].in_sync() else None
        return wait_until(settled, deadline_s, "a master and a backup in sync", instead=self.describe)

    # Cables, captures, traffic

    def cut(self, link, silent=False):
        self.require_up()
        self.network.cut(link, silent)

    def heal(self, link):
        self.require_up()
        self.network.heal(link)

    def mute(self, gateway, link, only=""):
        """Cuts one direction: what this gateway sends there vanishes, carriers stay. Only through a switch."""
        self.require_up()
        self.network.mute(gateway, link, only)

    def unmute(self, gateway, link):
        self.require_up()
        self.network.unmute(gateway, link)

    def capture(self, host, ifname, expression=VIRTUAL_SOURCE, direction="in", snap_bytes=96):
        self.require_up()
        return self._helper(Capture(self.network, self.folder, host, ifname, expression, direction, snap_bytes))

    def inject(self, host, ifname, frames, flood_s=0):
        """Sends frames out of a host's interface by scapy, each once, or all in turn as fast as it goes for a while.
        Returns how many."""
        self.require_up()
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "injector.py")
        # Debian's scapy is there for Debian's Python, which need not be the one that runs us.
        done = self.network.run(host, "/usr/bin/python3", "-B", script, ifname, str(flood_s),
                                text_input="".join(bytes(frame).hex() + "\n" for frame in frames))
        return int(done.stdout)

    def arp_prober(self, switch):
        """Asks both gateways for the VSI's address on this switch, each by itself, until its process ends."""
        self.require_up()
        address = (TRUST if switch == "trust" else UNTRUST).vsi()
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "arp_prober.py")
        return self._helper(Helper(Process.spawn(self.network.inside(switch) + [
            sys.executable, "-B", script, address, *self.gateways])))

    def echo_server(self, host):
        self.require_up()
        return self._helper(EchoServer(self.network, self.folder, host))

    def traffic(self, load):
        self.require_up()
        return self._helper(TrafficClient(self.network, self.folder, load))

    def compare_sessions(self, first=GATEWAYS[0], second=GATEWAYS[1]):
        """The conntrack tables of two gateways, entry by entry: a Comparison."""
        self.require_up()
        return compare(self.network, first, second)

    def storm(self, count, **settings):
        """Makes new sessions through the gateways, a packet each: a SessionStorm, running."""
        self.require_up()
        return self._helper(SessionStorm(self.network, self.folder, count, **settings))

    def _helper(self, helper):
        self._helpers.append(helper)
        return helper
