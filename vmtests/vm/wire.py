# SPDX-License-Identifier: Apache-2.0
"""The host's end of a guest's cables: a network namespace with one tap device per cable.

The tap is both the guest's cable and the neighbour at its other end: it carries the neighbour's address.
"""
import os
import re
import subprocess
from pathlib import Path

PREFIX = "nsrpvm"


class WireError(Exception):
    pass


class Wire:
    def __init__(self, taps):
        """taps: {tap name: the neighbour's addresses, each with its prefix length}"""
        self.taps = taps
        self.namespace = f"{PREFIX}{os.getpid()}"

    def __enter__(self):
        _remove_orphans()
        _ip("netns", "add", self.namespace)
        try:
            for tap, addresses in self.taps.items():
                self._add_tap(tap, addresses)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        _ip("netns", "del", self.namespace)

    def run_inside(self):
        """The words to put before a command. Not `ip netns exec`: that hides /sys/fs/bpf."""
        return ["nsenter", f"--net=/run/netns/{self.namespace}"]

    def run(self, *command):
        return subprocess.run([*self.run_inside(), *command], capture_output=True, text=True, check=False)

    def _add_tap(self, tap, addresses):
        _ip("-n", self.namespace, "tuntap", "add", tap, "mode", "tap")
        for address in addresses:
            no_detection = ["nodad"] if ":" in address else []  # nobody else is on this wire
            _ip("-n", self.namespace, "address", "add", address, "dev", tap, *no_detection)
        _ip("-n", self.namespace, "link", "set", tap, "up")


def _remove_orphans():
    """A test killed at its time limit could not clean up; its process id in the name tells that it is gone."""
    for path in Path("/run/netns").glob(PREFIX + "*"):
        owner = re.fullmatch(PREFIX + r"(\d+)", path.name)
        if owner and not Path("/proc", owner[1]).exists():
            _ip("netns", "del", path.name)


def _ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise WireError(f"ip {' '.join(words)}: {done.stderr.strip()}")
