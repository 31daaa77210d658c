# SPDX-License-Identifier: Apache-2.0
"""New sessions per second, more at each step, until one is missing at the peer; then what half of that costs."""
import math
import sys
import time

from nsrplab import wait_until
from nsrplab.sessions import latencies

from .system import PREFERRED, STANDBY
from .table import table

STEADY_S = 3         # as long without a change, and nothing more arrives
LIMIT_S = 120
PROBES = 500
PROBE_NUMBERS = 4_000_000  # sessions no storm makes
FILL_RATE = 25_000   # every system keeps up with it
FASTEST_ASSUMED = 250_000  # for the length of a storm that is as fast as it goes


def settle(mirror, wanted):
    """Until gwB has as many or nothing more comes. Returns when the last one came."""
    end = time.monotonic() + LIMIT_S
    last, since = -1, time.monotonic()
    while time.monotonic() < end:
        now = mirror.replicated()
        if now != last:
            last, since = now, time.monotonic()
        if now >= wanted or time.monotonic() - since > STEADY_S:
            break
        time.sleep(0.05)
    return since


def percentile(ordered, part):
    return ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1)] if ordered else float("nan")


class Ladder:
    title = "rate"

    def __init__(self):
        self.figures, self.latency, self.memory, self.failures = [], [], [], []

    def measure(self, mirror, arguments):
        best = 0
        for thousands in arguments.rates:
            step = self.climb(mirror, thousands * 1000, arguments.seconds, 0)
            mirror.clear()
            if step["missing"] and thousands:
                break
            if not step["missing"]:
                best = max(best, step["made_per_s"])
        self.time_half(mirror, best / 2, arguments.seconds)
        mirror.renew()
        self.fill(mirror, arguments.table)
        self.climb(mirror, round(best) or 10_000, arguments.seconds, arguments.table)

    def climb(self, mirror, rate, seconds, table_size):
        count = round((rate or FASTEST_ASSUMED) * seconds)
        before = {node: mirror.cpu_seconds(node) for node in (PREFERRED, STANDBY)}
        had = mirror.in_kernel(PREFERRED)
        storm = mirror.lab.storm(count, rate=rate, first=table_size).wait()
        ended = time.monotonic()
        made = mirror.in_kernel(PREFERRED) - had
        lag = settle(mirror, mirror.in_kernel(PREFERRED)) - ended
        step = {"system": mirror.name, "table": table_size, "wanted_per_s": rate, "made": made,
                "made_per_s": made / storm["seconds"], "missing": mirror.missing(), "lag_s": max(0.0, lag),
                **{f"cpu_us_{node}": (mirror.cpu_seconds(node) - before[node]) / made * 1e6
                   for node in (PREFERRED, STANDBY)},
                **{f"mb_{node}": mirror.resident_bytes(node) / 1e6 for node in (PREFERRED, STANDBY)}}
        self.figures.append(step)
        print(f"  {mirror.name}: {step['made_per_s']:.0f}/s beside {table_size}: {step['missing']} missing, "
              f"{step['lag_s']:.1f} s behind, {step['cpu_us_gwA']:.1f} + {step['cpu_us_gwB']:.1f} us", file=sys.stderr,
              flush=True)
        return step

    def time_half(self, mirror, rate, seconds):
        """From the first packet of a session to its entry in gwB's kernel; what waits in a cache is not there."""
        if not mirror.into_kernel or not rate:
            return
        storm = mirror.lab.storm(round(rate * (seconds + PROBES / 100)), rate=rate)
        found = latencies(mirror.lab.network, STANDBY, PROBES, first=PROBE_NUMBERS)
        storm.wait()
        settle(mirror, mirror.in_kernel(PREFERRED))
        times = found["milliseconds"]
        self.latency.append([mirror.name, f"{rate:.0f}", f"{percentile(times, 0.5):.1f}",
                             f"{percentile(times, 0.99):.1f}", f"{times[-1]:.1f}" if times else "-",
                             found["missing"]])

    def fill(self, mirror, sessions):
        before = {node: mirror.resident_bytes(node) for node in (PREFERRED, STANDBY)}
        mirror.lab.storm(sessions, rate=FILL_RATE).wait()
        wait_until(lambda: mirror.replicated() >= 0.99 * sessions, 60, f"{mirror.name}: {sessions} sessions at {STANDBY}")
        self.memory.append([mirror.name, sessions] + [
            f"{(mirror.resident_bytes(node) - before[node]) / sessions:.0f}" for node in (PREFERRED, STANDBY)])

    def report(self):
        heading = ["system", "in the table", "new/s wanted", "made", "missing", "s behind", "us CPU a session gwA",
                   "gwB", "MB gwA", "gwB"]
        rows = [[s["system"], s["table"], s["wanted_per_s"] or "all", f"{s['made_per_s']:.0f}", s["missing"],
                 f"{s['lag_s']:.1f}", f"{s['cpu_us_gwA']:.1f}", f"{s['cpu_us_gwB']:.1f}",
                 f"{s['mb_gwA']:.0f}", f"{s['mb_gwB']:.0f}"] for s in self.figures]
        return "\n\n".join([
            "New UDP sessions through SNAT, one packet each\n" + table(heading, rows),
            "First packet to the entry in the peer's kernel, at half the highest rate without a missing session\n"
            + table(["system", "new/s", "p50 ms", "p99 ms", "worst ms", "missing"], self.latency),
            "Resident memory of the daemons, bytes a session, from a fresh start on\n"
            + table(["system", "sessions", "gwA", "gwB"], self.memory)])
