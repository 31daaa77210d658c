# SPDX-License-Identifier: Apache-2.0
"""An empty peer gets all sessions there are, without and with new ones coming meanwhile."""
import sys
import time

from .rto_rate import FILL_RATE, settle
from .system import PREFERRED, STANDBY
from .table import table

LIMIT_S = 300
DURING_S = 20


class ColdSync:
    title = "cold"

    def __init__(self):
        self.figures, self.failures = [], []

    def measure(self, mirror, arguments):
        mirror.lab.storm(arguments.cold_sessions, rate=FILL_RATE).wait()
        settle(mirror, arguments.cold_sessions)
        for rate in (0, arguments.cold_rate):
            self.fill_empty_peer(mirror, rate, arguments.cold_sessions)

    def fill_empty_peer(self, mirror, rate, sessions):
        mirror.wipe(STANDBY)
        storm = mirror.lab.storm(rate * DURING_S, rate=rate, first=sessions) if rate else None
        before = mirror.cpu_seconds(PREFERRED)
        started = time.monotonic()
        mirror.boot(STANDBY)
        began = time.monotonic()
        had, spent = mirror.replicated(), mirror.cpu_seconds(STANDBY)
        mirror.cold_sync()
        wanted = mirror.in_kernel(PREFERRED)
        reached = settle(mirror, wanted)
        transferred = reached - began
        mirror.commit()
        usable = time.monotonic() - began if not mirror.into_kernel else transferred
        if storm:
            storm.wait()
            settle(mirror, mirror.in_kernel(PREFERRED))
            mirror.commit()
        self.wait_equal(mirror)
        row = {"system": mirror.name, "new_per_s": rate, "sessions": wanted, "start_s": began - started,
               "had": had, "transferred_s": transferred, "usable_s": usable, "missing": mirror.missing(),
               "cpu_s_gwA": mirror.cpu_seconds(PREFERRED) - before,
               "cpu_s_gwB": mirror.cpu_seconds(STANDBY) - spent}
        self.figures.append(row)
        print(f"  {mirror.name}: cold sync of {wanted} beside {rate}/s: {transferred:.1f} s after a start of "
              f"{row['start_s']:.1f} s, usable after {usable:.1f} s, {row['missing']} missing", file=sys.stderr,
              flush=True)

    @staticmethod
    def wait_equal(mirror):
        end = time.monotonic() + LIMIT_S
        last = None
        while (missing := mirror.missing()) and missing != last and time.monotonic() < end:
            last = missing
            time.sleep(3)

    def report(self):
        heading = ["system", "new/s meanwhile", "sessions", "start s", "there after s", "usable after s",
                   "missing in the end", "s CPU gwA", "gwB"]
        rows = [[f["system"], f["new_per_s"], f["sessions"], f"{f['start_s']:.1f}", f"{f['transferred_s']:.1f}",
                 f"{f['usable_s']:.1f}", f["missing"], f"{f['cpu_s_gwA']:.1f}", f"{f['cpu_s_gwB']:.1f}"] for f in self.figures]
        return "Cold sync of an empty peer, in seconds from the first answer of its daemon\n" + table(heading, rows)
