# SPDX-License-Identifier: Apache-2.0
"""One gateway of the lab: its configuration, its daemon, and questions to it."""
import json
import os
import shutil
import signal
import subprocess

from .build import program
from .system import LabError, Process, run, wait_until
from .topology import TRUST, UNTRUST


def pair_config(gateway, priority=100, preempt=False, hb_interval=200, hb_threshold=None, sync=True, extra=()):
    """The configuration of one gateway of the pair, in the manual's language."""
    lines = [f"set hostname {gateway}",
             "set interface ha1 zone ha",
             "set interface ha2 zone ha"]
    for ifname, zone, subnet in (("eth1", "trust", TRUST), ("eth2", "untrust", UNTRUST)):
        lines += [f"set interface {ifname} zone {zone}",
                  f"set interface {ifname} ip {subnet.vsi()}/24",
                  f"set interface {ifname} ip {subnet.vsi(True)}/64",
                  f"set interface {ifname} manage-ip {subnet.manage(gateway)}",
                  f"set interface {ifname} manage-ip {subnet.manage(gateway, True)}"]
    lines += ["set nsrp cluster id 1",
              f"set nsrp vsd-group id 0 priority {priority}",
              f"set nsrp vsd-group hb-interval {hb_interval}"]
    if hb_threshold is not None:
        lines.append(f"set nsrp vsd-group hb-threshold {hb_threshold}")
    if preempt:
        lines.append("set nsrp vsd-group id 0 preempt")
    if sync:
        lines.append("set nsrp rto-mirror sync")
    return "\n".join([*lines, *extra]) + "\n"


class Gateway:
    """Files live under `folder`, pinned maps under /sys/fs/bpf/<prefix><name>."""

    def __init__(self, name, network, folder):
        self.name, self.network, self.folder = name, network, folder
        self.config_file = os.path.join(folder, "nsrp.conf")
        self.run_dir = os.path.join(folder, "run")
        self.log_file = os.path.join(folder, "nsrpd.log")
        self.pid_file = os.path.join(folder, "nsrpd.pid")
        self.bpf_dir = f"/sys/fs/bpf/{network.prefix}{name}"
        self.options = []  # more words for nsrpd
        os.makedirs(self.run_dir, exist_ok=True)
        self.process = self._known_process()

    # The daemon

    def configure(self, text):
        with open(self.config_file, "w", encoding="utf-8") as config:
            config.write(text)

    def command_line(self):
        return [program("nsrpd"), "-c", self.config_file, "-r", self.run_dir, "-b", self.bpf_dir, *self.options]

    def start(self, ready_within_s=20):
        """Starts the daemon; returns when it answers. 0 does not wait."""
        if self.process is not None and self.process.alive():
            raise LabError(f"nsrpd runs on {self.name} already (pid {self.process.pid})")
        with open(self.log_file, "ab") as log:
            self.process = Process.spawn(self.network.inside(self.name) + self.command_line(), log)
        with open(self.pid_file, "w", encoding="ascii") as pid_file:
            pid_file.write(f"{self.process.pid} {self.process.started}\n")
        if ready_within_s:
            self.wait_ready(ready_within_s)

    def wait_ready(self, deadline_s=20):
        def answers_or_died():
            if not self.process.alive():
                raise LabError(f"nsrpd on {self.name} ended at its start: {self.log_tail()}")
            return self.status() is not None
        wait_until(answers_or_died, deadline_s, f"answer of nsrpd on {self.name}")

    def _known_process(self):
        try:
            with open(self.pid_file, encoding="ascii") as pid_file:
                pid, started = pid_file.read().split()
                return Process(int(pid), int(started))
        except (OSError, ValueError):
            return None

    def alive(self):
        return self.process is not None and self.process.alive()

    def signal(self, number):
        if not self.alive():
            raise LabError(f"nsrpd does not run on {self.name}")
        self.process.send(number)

    def terminate(self, deadline_s=20):
        """SIGTERM: a planned end. Returns the exit status, when the daemon is a child of this program."""
        self.signal(signal.SIGTERM)
        return self.process.wait(deadline_s)

    def kill9(self):
        self.signal(signal.SIGKILL)
        self.process.wait(5)

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def log_tail(self, lines=15):
        try:
            with open(self.log_file, encoding="utf-8", errors="replace") as log:
                return "".join(log.readlines()[-lines:]).strip()
        except OSError:
            return "(no log)"

    def clean(self):
        """Ends the daemon, whatever state it is in, and removes what it pinned."""
        if self.alive():
            self.process.send(signal.SIGCONT)
            self.process.kill()
        shutil.rmtree(self.bpf_dir, ignore_errors=True)

    # Questions

    def cli(self, words, as_json=False):
        """Runs `nsrp WORDS`; returns what subprocess.run does."""
        command = [program("nsrp"), "-r", self.run_dir] + (["--json"] if as_json else [])
        command += words.split() if isinstance(words, str) else list(words)
        return subprocess.run(command, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)

    def ask(self, words):
        """The answer to `nsrp --json WORDS`; an error when it is refused."""
        done = self.cli(words, as_json=True)
        if done.returncode != 0:
            raise LabError(f"nsrp {words} on {self.name} exits {done.returncode}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def status(self):
        """`get nsrp`, or None when the daemon does not answer."""
        done = self.cli("get nsrp", as_json=True)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def vsd(self, vsd=0):
        status = self.status()
        groups = status["vsd_groups"] if status else []
        return next((g for g in groups if g["id"] == vsd), None)

    def state(self, vsd=0):
        """The manual's word for what this gateway is in a VSD group; "down" when its daemon does not answer."""
        group = self.vsd(vsd)
        return group["state"] if group else "down"

    def in_sync(self):
        status = self.status()
        return bool(status and status["rto_mirror"]["in_sync"])

    def sessions(self):
        status = self.status()
        return status["rto_mirror"]["sessions"] if status else 0

    def ip(self, *words):
        return run(["ip", "-n", self.network.namespace(self.name), *words]).stdout
