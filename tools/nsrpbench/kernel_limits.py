# SPDX-License-Identifier: Apache-2.0
"""The conntrack table of the whole machine made large enough for both gateways, and as before afterwards."""
import contextlib

SETTINGS = {"/proc/sys/net/netfilter/nf_conntrack_max": 4 << 20,
            "/proc/sys/net/netfilter/nf_conntrack_buckets": 1 << 20}


@contextlib.contextmanager
def room_for_sessions():
    before = {}
    try:
        for path, wanted in SETTINGS.items():
            with open(path, encoding="ascii") as setting:
                before[path] = int(setting.read())
            write(path, max(wanted, before[path]))
        yield
    finally:
        for path, value in before.items():
            write(path, value)


def write(path, value):
    with open(path, "w", encoding="ascii") as setting:
        setting.write(str(value))
